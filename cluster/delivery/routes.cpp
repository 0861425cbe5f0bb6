#include "cluster/delivery/routes.hpp"

namespace muster::cluster {
namespace {

constexpr int kMostRuns = 1024;  // looked at for a member of a worker

/// Whether a worker owns some of the members. Of a list with very many runs it may say so without knowing.
bool has_workers(const Replica& replica, const MemberList& members) {
    bool found = false;
    int looked = 0;
    members.for_each_run_from({}, [&](const Run& run) {
        found = !replica.owners().worker(run.tag).empty() || ++looked == kMostRuns;
        return !found;
    });
    return found;
}

}  // namespace

const Routes::Route& Routes::of(const Group& group) {
    const GroupRef ref = replicas_.groups().find(group);
    if (ref == kNoGroup) return no_targets_;
    const std::uint64_t generation = replicas_.groups().generation(ref);
    if (ref < kept_.size() && kept_[ref].generation == generation) return kept_[ref].route;
    if (count_ >= kGroups) clear();
    if (ref >= kept_.size()) kept_.resize(ref + 1);
    Kept& kept = kept_[ref];
    if (kept.generation == 0) ++count_;
    kept = {generation, compute(ref)};
    return kept.route;
}

void Routes::changed(const Group& group) {
    if (count_ == 0) return;
    const GroupRef ref = replicas_.groups().find(group);
    if (ref >= kept_.size() || kept_[ref].generation == 0) return;
    kept_[ref] = {};
    --count_;
}

void Routes::clear() {
    kept_.clear();
    count_ = 0;
}

Routes::Route Routes::compute(GroupRef group) const {
    Route route;
    replicas_.for_each_shown_in(group, [&](const Replica& replica, const MemberList& members) {
        route.targets.push_back({replica.id(), members.size(), members.newest()});
        route.matched += members.size();
        route.for_workers = route.for_workers || has_workers(replica, members);
    });
    Recipients handlers;
    local_.for_each_owner(group, [&](const Owner& owner, const std::vector<MemberNumber>& members) {
        if (const auto* handler = std::get_if<HandlerId>(&owner))
            handlers.push_back({*handler, members});
        else
            route.sessions.emplace_back(std::get<SessionToken>(owner),
                                        std::make_shared<const std::vector<MemberNumber>>(members));
    });
    if (!handlers.empty()) route.handlers = std::make_shared<const Recipients>(std::move(handlers));
    return route;
}

}  // namespace muster::cluster
