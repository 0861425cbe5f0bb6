#include "cluster/routes.hpp"

namespace muster::cluster {

const Routes::Route& Routes::of(const Group& group) {
    const auto found = routes_.find(group);
    if (found != routes_.end()) return found->second;
    if (routes_.size() >= kGroups) routes_.clear();
    return routes_.emplace(group, find(group)).first->second;
}

Routes::Route Routes::find(const Group& group) const {
    Route route;
    const GroupRef ref = replicator_.groups().find(group);
    if (ref == kNoGroup) return route;
    replicator_.for_each_shown([&](const Replica& replica) {
        const auto it = replica.groups().find(ref);
        if (it == replica.groups().end()) return;
        route.targets.push_back({replica.id(), it->second.size(), it->second.entries().back().number});
        route.matched += it->second.size();
    });
    Recipients handlers;
    local_.for_each_owner(group, [&](const Owner& owner, const std::vector<MemberNumber>& members) {
        if (const auto* handler = std::get_if<HandlerId>(&owner))
            handlers.push_back({*handler, members});
        else
            route.sessions.emplace_back(std::get<SessionToken>(owner), members);
    });
    if (!handlers.empty()) route.handlers = std::make_shared<const Recipients>(std::move(handlers));
    return route;
}

}  // namespace muster::cluster
