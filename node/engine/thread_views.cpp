#include "node/engine/thread_views.hpp"

#include <algorithm>
#include <memory>

namespace muster::node {

struct ThreadViews::AtThreadExit {
    AtThreadExit() { mine_ = new ThreadViews; }
    ~AtThreadExit() {
        ended_ = true;  // destructors of other thread-locals may still call keep()
        delete std::exchange(mine_, nullptr);
    }
};

ThreadViews::~ThreadViews() {
    for (const Set& set : sets_)
        for (const Entry& entry : set.entries)
            if (entry.hold != nullptr) MembersHold::retire(entry.hold);
}

Members ThreadViews::keep(EngineNumber engine, std::uint64_t hash, const View& view) {
    MembersHold::List list(view, &view->members);  // owns the view, points to its members
    if (ended_) return Members(std::move(list));
    thread_local const AtThreadExit at_thread_exit;
    const std::uint64_t tag = tag_of(engine, hash);
    Set& set = mine_->sets_[tag % kSets];
    std::size_t way = set.next;
    // An outdated view of the same group is replaced first.
    for (std::size_t i = 0; i < kWays; ++i)
        if (set.tags[i] == tag && set.entries[i].engine == engine) way = i;
    if (way == set.next) set.next = (set.next + 1) % kWays;
    Entry& entry = set.entries[way];
    if (entry.hold != nullptr) MembersHold::retire(entry.hold);
    set.tags[way] = tag;
    entry = {engine, view.get(), MembersHold::owned(std::move(list))};
    return Members(*entry.hold);
}

}  // namespace muster::node
