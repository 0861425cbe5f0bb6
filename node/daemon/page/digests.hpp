// A table of groups as a watch tells it, kept as a few bytes for each group.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace muster::daemon {

/// Any thread.
class Digests {
public:
    /// A snapshot, and every change after it.
    void take(const WatchEvent& event);
    [[nodiscard]] bool has_begun() const;

    struct Sum {
        std::uint64_t members = 0;
        std::uint64_t digest = 0;  // of their ids

        bool operator==(const Sum&) const = default;
    };
    using Table = std::map<Group, Sum>;
    [[nodiscard]] std::uint64_t groups() const;
    [[nodiscard]] std::uint64_t members() const;

    /// The groups that do not have the same members, by name.
    static std::vector<Group> differing(const Digests& a, const Digests& b);

private:
    mutable std::mutex mutex_;
    bool begun_ = false;
    Table table_;
};

}  // namespace muster::daemon
