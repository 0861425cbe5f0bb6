// The core's notes as lines of a log.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "cluster/action.hpp"
#include "cluster/time.hpp"

namespace muster::node {

/// As on_log counts: 0 debug … 3 error.
struct LogLine {
    int severity = 1;
    std::string text;
};

/// "node b is down: …" and the like.
LogLine to_line(const cluster::Note& note);

/// Lets through kBurst lines of a kind in ten seconds, so that a storm among a
/// thousand workers does not become a storm in the log; what was held back is
/// counted and told with the next line of its kind.
class NoteLimiter {
public:
    static constexpr std::uint64_t kBurst = 20;

    /// Empty when the note is to be held back.
    std::optional<LogLine> take(const cluster::Note& note, cluster::Instant now);

private:
    struct Window {
        cluster::Instant start{};
        std::uint64_t lines = 0;
        std::uint64_t held_back = 0;
    };
    static constexpr std::size_t kKinds = static_cast<std::size_t>(cluster::Note::Kind::overflow) + 1;
    std::array<Window, kKinds> windows_;
};

}  // namespace muster::node
