// What each thread remembers of the groups that it looked up.
#pragma once

#include <muster/members.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#include "node/engine/view_cache.hpp"

namespace muster::node {

/// Names an engine among all that this process has or had.
using EngineNumber = Counter<struct EngineNumberTag>;

/// The calling thread's views of groups, of all nodes in the process. Finding one that is current takes no lock,
/// and writes to nothing that another thread writes to. Bounded: kSets x kWays views a thread, each of which is kept,
/// though it may be out of date, until another takes its place or the thread ends.
class ThreadViews {
public:
    static constexpr std::size_t kSets = 128;
    static constexpr std::size_t kWays = 4;

    /// The hold of the thread's view of this group at this engine, nullptr when it has none that is current.
    /// `hash` is proto::group_hash(group).
    static MembersHold* find(EngineNumber engine, const Group& group, std::uint64_t hash) {
        if (mine_ == nullptr) return nullptr;
        const std::uint64_t tag = tag_of(engine, hash);
        const Set& set = mine_->sets_[tag % kSets];
        for (std::size_t way = 0; way < kWays; ++way) {
            if (set.tags[way] != tag) continue;
            const Entry& entry = set.entries[way];
            if (entry.engine == engine && entry.view->is_current() && proto::same_group(entry.view->group, group))
                return entry.hold;
        }
        return nullptr;
    }

    /// Members of a view that find() will find from now on; where there was no room, the thread forgets another.
    static Members keep(EngineNumber engine, std::uint64_t hash, const View& view);

    ThreadViews(const ThreadViews&) = delete;
    ThreadViews& operator=(const ThreadViews&) = delete;

private:
    struct Entry {
        EngineNumber engine;              // 0: empty
        const GroupView* view = nullptr;  // kept by the hold
        MembersHold* hold = nullptr;
    };
    struct alignas(64) Set {
        std::array<std::uint64_t, kWays> tags{};
        std::array<Entry, kWays> entries{};
        std::size_t next = 0;  // the way that is taken next
    };
    struct Owner;  // ends the calling thread's views with the thread

    ThreadViews() = default;
    ~ThreadViews();

    static std::uint64_t tag_of(EngineNumber engine, std::uint64_t hash) {
        return hash + engine.value * 0x9e3779b97f4a7c15;  // so that nodes of one process do not meet in one set
    }

    std::array<Set, kSets> sets_{};

    // NOLINTBEGIN(readability-identifier-naming): these are members
    inline static constinit thread_local ThreadViews* mine_ = nullptr;
    inline static constinit thread_local bool ended_ = false;
    // NOLINTEND(readability-identifier-naming)
};

}  // namespace muster::node
