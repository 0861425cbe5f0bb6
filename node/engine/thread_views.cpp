#include "node/engine/thread_views.hpp"

#include <algorithm>
#include <memory>

namespace muster::node {

struct ThreadViews::Owner {
    Owner() { mine_ = new ThreadViews; }
    ~Owner() {
        ended_ = true;  // other objects of the thread may still look something up
        delete std::exchange(mine_, nullptr);
    }
};

ThreadViews::~ThreadViews() {
    for (const Set& set : sets_)
        for (const Entry& entry : set.entries)
            if (entry.hold != nullptr) entry.hold->retire();
}

Members ThreadViews::keep(EngineNumber engine, std::uint64_t hash, const View& view) {
    MembersHold::List list(view, &view->members);
    if (ended_) return Members(std::move(list));
    thread_local const Owner owner;
    const std::uint64_t tag = tag_of(engine, hash);
    Set& set = mine_->sets_[tag % kSets];
    std::size_t way = set.next;
    // An outdated view of the same group gives its place first.
    for (std::size_t i = 0; i < kWays; ++i)
        if (set.tags[i] == tag && set.entries[i].engine == engine) way = i;
    if (way == set.next) set.next = (set.next + 1) % kWays;
    Entry& entry = set.entries[way];
    if (entry.hold != nullptr) entry.hold->retire();
    set.tags[way] = tag;
    entry = {engine, view.get(), MembersHold::owned(std::move(list))};
    return Members(*entry.hold);
}

}  // namespace muster::node
