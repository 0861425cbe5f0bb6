// The model's judgement of a step that is done, and of the final state.
#include "tests/sim/model.hpp"

namespace muster::sim {

using namespace cluster;  // NOLINT(google-build-using-namespace): this file judges the core

// ---- judgement -------------------------------------------------------------

void Model::judge_joins(Watched& watched) {
    if (cause_.joined.empty()) {
        const auto* join = cause_.event ? std::get_if<LocalJoin>(&*cause_.event) : nullptr;
        if (join && watched.calls.contains(join->call.value)) fail(watched, "a join waits without having joined");
        return;
    }
    if (const auto* join = std::get_if<LocalJoin>(&*cause_.event)) {
        if (cause_.joined.size() != join->count) fail(watched, "a join makes another number of members than asked");
        const auto call = watched.calls.find(join->call.value);
        if (call == watched.calls.end()) return;
        if (!call->second.wait) fail(watched, "a join is not answered at once");
        call->second.numbers.insert(cause_.joined.begin(), cause_.joined.end());
        return;
    }
    const proto::Message& message = *door_message();
    std::uint64_t asked = 0;
    if (const auto* join = std::get_if<proto::JoinRequest>(&message.body)) asked = join->count;
    if (const auto* again = std::get_if<proto::RejoinRequest>(&message.body))
        for (const auto& join : again->joins) asked += join.count;
    if (cause_.joined.size() != asked) {
        fail(watched, "a worker's join makes another number of members than asked");
    }
    if (!watched.requests.emplace(message.header.incarnation, message.header.seq).second) {
        fail(watched, "does a worker's repeated join again");
    }
}

bool Model::may_leave_later(Watched& watched, Host& host, const std::set<std::uint64_t>& members) {
    if (members.empty()) return true;
    if (!host.core().is_busy()) return false;
    watched.leaving.insert(members.begin(), members.end());
    return true;
}

void Model::judge_leaves(Watched& watched, Host& host) {
    if (host.core().is_busy())
        watched.parting.insert(cause_.parted.begin(), cause_.parted.end());
    else
        watched.parting.clear();
    if (cause_.earlier_life) return watched.leaving.clear();  // the sessions of its workers end with the earlier life
    // A handler that is gone may still ask for what leaves by itself in the steps that follow.
    std::erase_if(cause_.to_leave, [&](std::uint64_t number) {
        return watched.leaving.contains(number) && cause_.left.contains(number);
    });
    std::erase_if(cause_.left, [&](const auto& entry) { return watched.leaving.erase(entry.first) > 0; });
    std::set<std::uint64_t> left;
    // A worker that does not keep up is let go in whatever step filled its backlog.
    std::erase_if(cause_.left, [&](const auto& entry) {
        const Owner& owner = watched.life->ever.at(entry.first).owner;
        return cause_.overflowed.contains(owner.worker) && may_leave_later(watched, host, watched.life->all_of(owner));
    });
    for (const auto& [number, reason] : cause_.left) left.insert(number);
    if (!cause_.event) {
        if (!left.empty()) fail(watched, "own members " + to_text(left) + " leave because a peer spoke");
        return;
    }
    const EventBody& event = *cause_.event;
    const proto::Message* message = door_message();
    if (std::holds_alternative<Shutdown>(event)) return;
    const bool local = std::holds_alternative<LocalLeave>(event) || std::holds_alternative<HandlerGone>(event);
    const bool asked = message && (std::holds_alternative<proto::LeaveRequest>(message->body) ||
                                   std::holds_alternative<proto::WorkerGoodbye>(message->body));
    if (local || (asked && !left.empty())) {
        const auto* leave = std::get_if<LocalLeave>(&event);
        const bool invalid = leave && is_bad(leave->group, leave->count);
        std::set<std::uint64_t> rest;
        std::set_difference(cause_.to_leave.begin(), cause_.to_leave.end(), left.begin(), left.end(),
                            std::inserter(rest, rest.end()));
        const bool later = !leave && !invalid && may_leave_later(watched, host, rest) &&
                           left.size() + rest.size() == cause_.to_leave.size();
        if (!later && left != (invalid ? std::set<std::uint64_t>{} : cause_.to_leave)) {
            fail(watched, to_text(left) + " left, where " + to_text(cause_.to_leave) + " should have");
        }
        const auto* goodbye = message ? std::get_if<proto::WorkerGoodbye>(&message->body) : nullptr;
        const Reason expected = goodbye && goodbye->moved ? Reason::moved : Reason::left;
        for (const auto& [number, reason] : cause_.left) {
            if (reason != expected) fail(watched, "a member that left is told with another reason");
        }
    } else if (!left.empty()) {
        judge_worker_down(watched, host);
    } else if (message && std::holds_alternative<proto::WorkerGoodbye>(message->body) &&
               !may_leave_later(watched, host, cause_.to_leave)) {
        fail(watched, "keeps " + to_text(cause_.to_leave) + " of " + message->header.origin + ", which said goodbye");
    }
}

/// A session ended by itself: all of it, and none of a worker that is well.
void Model::judge_worker_down(Watched& watched, Host& host) {
    const proto::Message* message = door_message();
    const bool hello = message && std::holds_alternative<proto::WorkerHello>(message->body);
    for (const auto& [number, reason] : cause_.left) {
        const Owner& owner = watched.life->ever.at(number).owner;
        if (owner.worker.empty()) fail(watched, "member " + std::to_string(number) + " of a handler leaves by itself");
        const auto rest = watched.life->all_of(owner);
        const bool later = may_leave_later(watched, host, rest);
        if (hello && message->header.origin == owner.worker) continue;
        if (reason != Reason::worker_down) fail(watched, "a dead worker's member is told with another reason");
        if (!later) fail(watched, "a dead worker keeps members: " + owner.worker);
        if (was_well_ && was_well_(owner.worker, host, owner.number)) {
            fail(watched, "lets " + owner.worker + " go, which is well");
        }
        const auto spoke = watched.spoke.find(owner.number);
        if (spoke != watched.spoke.end() && world_.clock.now() - spoke->second < world_.profile.session.grace)
            fail(watched, "lets " + owner.worker + " go within its grace");
    }
}

/// At every moment a node's view of another is exactly what that one's table was at the log position applied.
void Model::check_log(Watched& watched, Host& host) {
    const Core& core = host.core();
    Life& own = *watched.life;
    own.digest_at[core.applied(host.name()).value] = own.digest;
    for (const auto& other : world_.hosts) {
        if (other->name() == host.name()) continue;
        const Seq applied = core.applied(other->name());
        Seq& before = watched.applied[other->name()];
        if (applied < before) {
            Incarnation incarnation;
            for (const NodeInfo& info : core.nodes()) {
                if (info.id.name == other->name()) incarnation = info.id.incarnation;
            }
            if (incarnation == watched.incarnation[other->name()] && applied.value != 0) {
                fail(watched, "its position in the log of " + other->name() + " goes back");
            }
            watched.incarnation[other->name()] = incarnation;
        }
        before = applied;
    }
    const auto main = watched.views.find(kMainWatch.value);
    if (main == watched.views.end()) return;
    std::string last_name;
    for (const auto& [id, part] : main->second.parts()) {
        if (id.name == last_name) fail(watched, "shows members of two lives of " + id.name);
        last_name = id.name;
        check_returned(watched, core, *part.life);
        const std::uint64_t applied = core.applied(id.name).value;
        const auto digest = part.life->digest_at.find(applied);
        if (digest != part.life->digest_at.end() && digest->second != part.digest && !core.is_busy()) {
            fail(watched, "its table of " + id.name + " is not what stood at position " + std::to_string(applied));
        }
    }
}

void Model::compare_views(const Host& host) const {
    for (const auto& [watch, view] : watched_.at(host.place()).views)
        if (!view.is_partial()) view.compare(host.core());
}

// ---- the final state -------------------------------------------------------

std::optional<std::string> Model::unsettled() {
    std::set<std::string> names;
    for (Host* host : world_.running()) {
        if (auto why = met_strangers(*host)) return host->name() + ": " + *why;
        if (host->is_stranger()) continue;
        if (!names.insert(host->name()).second) return "two nodes run as " + host->name();
        if (auto why = unsettled_at(watched_.at(host->place()), *host)) return host->name() + ": " + *why;
    }
    return std::nullopt;
}

/// No node of a cluster knows one of another.
std::optional<std::string> Model::met_strangers(const Host& host) const {
    for (const Host* other : world_.running()) {
        if (other->is_stranger() == host.is_stranger()) continue;
        for (const NodeInfo& info : host.core().nodes())
            if (info.id == other->id()) return "knows " + info.id.name + " of another cluster";
    }
    return std::nullopt;
}

std::optional<std::string> Model::unsettled_at(Watched& watched, Host& host) {
    const Core& core = host.core();
    if (!core.is_ready()) return "is not ready";
    if (!watched.calls.empty()) return "has not answered a call";
    for (const auto& [watch, partial] : watched.views)
        if (partial.is_partial()) return "has not told a watcher the rest of a snapshot";
    const View& view = watched.views.at(kMainWatch.value);
    for (const auto& [id, part] : view.parts()) {
        if (!part.life->running) return "still shows members of " + id.name + ", whose life has ended";
    }
    std::map<std::string, NodeInfo> nodes;
    for (const NodeInfo& info : core.nodes()) {
        nodes[info.id.name] = info;
        watched.incarnation[info.id.name] = info.id.incarnation;
    }
    for (const auto& named : world_.hosts) {
        Host* other = world_.host_of(named->name());
        const auto info = nodes.find(other->name());
        if (!other->running()) {
            const bool doubted = info != nodes.end() && info->second.state == NodeState::suspect;
            if (doubted || (info != nodes.end() && info->second.state == NodeState::alive))
                return "believes " + other->name() + (doubted ? " perhaps alive" : " alive");
            continue;
        }
        if (info == nodes.end() || info->second.id != other->id() || info->second.state != NodeState::alive) {
            return "does not believe " + other->name() + " alive";
        }
        const Life& life = *life_of(*other);
        const auto part = view.parts().find(life.id);
        const std::uint64_t digest = part == view.parts().end() ? 0 : part->second.digest;
        if (digest != life.digest) {
            return "its table of " + other->name() + " at position " +
                   std::to_string(core.applied(other->name()).value) + " is not the truth at " +
                   std::to_string(other->core().applied(other->name()).value);
        }
    }
    if (auto why = left_over(watched, host)) return why;
    compare_views(host);
    return std::nullopt;
}

}  // namespace muster::sim
