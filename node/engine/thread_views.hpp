// Each thread's own cache of the groups that it looked up.
#pragma once

#include <muster/members.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#include "node/engine/view_cache.hpp"

namespace muster::node {

/// Identifies an engine. Never reused in this process.
using EngineNumber = StrongId<struct EngineNumberTag>;

/// The calling thread's views of groups, for all nodes of the process: a set-associative cache with kSets sets of kWays
/// entries. find() takes no lock and writes to no memory that other threads write to. An entry keeps its view alive,
/// current or not, until another view replaces it or the thread ends.
class ThreadViews {
public:
    static constexpr std::size_t kSets = 128;
    static constexpr std::size_t kWays = 4;

    /// Returns the hold of this thread's view of the group at this engine, or nullptr if it has no current one.
    /// `hash` is group_hash(group).
    static MembersHold* find(EngineNumber engine, const Group& group, std::uint64_t hash) {
        if (mine_ == nullptr) return nullptr;
        const std::uint64_t tag = tag_of(engine, hash);
        const Set& set = mine_->sets_[tag % kSets];
        for (std::size_t way = 0; way < kWays; ++way) {
            if (set.tags[way] != tag) continue;
            const Entry& entry = set.entries[way];
            if (entry.engine == engine && entry.view->is_current() && same_group(entry.view->group, group))
                return entry.hold;
        }
        return nullptr;
    }

    /// Stores the view for find(), replacing an older entry of the set if it is full, and returns its members.
    static Members keep(EngineNumber engine, std::uint64_t hash, const View& view);

    ThreadViews(const ThreadViews&) = delete;
    ThreadViews& operator=(const ThreadViews&) = delete;

private:
    struct Entry {
        EngineNumber engine;              // 0: empty
        const GroupView* view = nullptr;  // kept alive by the hold
        MembersHold* hold = nullptr;
    };
    struct alignas(64) Set {
        std::array<std::uint64_t, kWays> tags{};
        std::array<Entry, kWays> entries{};
        std::size_t next = 0;  // the way that is replaced next
    };
    struct AtThreadExit;  // deletes the thread's cache when the thread ends

    ThreadViews() = default;
    ~ThreadViews();

    static std::uint64_t tag_of(EngineNumber engine, std::uint64_t hash) {
        return hash + engine.value * 0x9e3779b97f4a7c15;  // different sets for the same group at other nodes
    }

    std::array<Set, kSets> sets_{};

    // NOLINTBEGIN(readability-identifier-naming): these are members
    inline static constinit thread_local ThreadViews* mine_ = nullptr;
    inline static constinit thread_local bool ended_ = false;
    // NOLINTEND(readability-identifier-naming)
};

}  // namespace muster::node
