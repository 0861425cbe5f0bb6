// A table of groups, with a few bytes per group.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace muster::daemon {

/// Keeps a count and a digest per group instead of the members. Any thread.
class Digests {
public:
    struct Sum {
        std::uint64_t members = 0;
        std::uint64_t digest = 0;  // sum of the digests of the members' ids, so that their order does not matter

        void add(const MemberId& id);
        bool operator==(const Sum&) const = default;
    };

    /// Takes the events of one watch, in order and in parts: a snapshot, then joins and leaves.
    void take(const WatchEvent& event);
    /// Whether the snapshot has arrived.
    [[nodiscard]] bool has_begun() const;
    /// Of a table that is read instead of watched: the group has these members.
    void put(const Group& group, const Sum& sum);
    using Table = std::map<Group, Sum>;
    [[nodiscard]] std::uint64_t groups() const;
    [[nodiscard]] std::uint64_t members() const;

    /// The groups whose members differ, sorted by name.
    static std::vector<Group> differing(const Digests& a, const Digests& b);

private:
    mutable std::mutex mutex_;
    bool begun_ = false;
    Table table_;
};

}  // namespace muster::daemon
