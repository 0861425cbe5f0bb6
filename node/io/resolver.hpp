// The addresses of names, for one loop.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/io/name_service.hpp"

namespace muster::node {

/// Asks the NameService for a loop, which must not wait. Used by the loop's thread only, except that `wake` is called
/// by other threads.
///
/// An answer that is younger than kFresh is used as it is. Otherwise the name is looked up again, so that addresses
/// that have changed are found. If that takes longer than kPatience, or fails, the last good answer is used.
class Resolver {
public:
    using Instant = std::chrono::steady_clock::time_point;
    static constexpr auto kFresh = std::chrono::seconds(1);
    static constexpr auto kPatience = std::chrono::milliseconds(300);

    struct Found {
        std::string address;               // as passed to ask()
        std::vector<std::string> numeric;  // "number:port", in the order in which to try them; empty if not known
        bool is_current = false;           // the name service answered just now
    };
    enum class Accept {
        fresh,  // an answer as described above
        last,   // the last good answer at once, if there is one; it is refreshed for the next time
    };

    /// `wake` is called when take() may have something; it must not block.
    explicit Resolver(std::function<void()> wake, NameService& service = NameService::of_process());
    /// Does not wait for a look-up that is under way.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// The addresses of a "host:port", if they are known now; a number always is. Otherwise take() returns them later,
    /// once for all calls until then. An invalid address has none.
    std::optional<Found> ask(const std::string& address, Accept accept = Accept::fresh);
    /// The results that have become known.
    std::vector<Found> take(Instant now);
    /// When take() must be called at the latest; Instant::max() if nothing is awaited.
    [[nodiscard]] Instant deadline() const;

private:
    struct Awaited {
        std::string host;
        std::uint16_t port = 0;
        std::uint64_t ended = 0;  // look-ups that had ended when it was asked for
        Instant until{};          // when the last good answer is used
        bool has_last = false;
    };
    static Found found(const std::string& address, std::uint16_t port, const NameService::Answer& answer,
                       bool is_current);

    NameService& service_;
    std::shared_ptr<NameListener> listener_;
    std::map<std::string, Awaited> awaited_;  // by address
};

}  // namespace muster::node
