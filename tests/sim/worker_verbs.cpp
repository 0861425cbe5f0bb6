// What a simulated worker asks for, and what it makes of the answers.
#include <algorithm>
#include <functional>
#include <set>

#include "tests/sim/worker.hpp"

namespace muster::sim {

using namespace proto;  // NOLINT(google-build-using-namespace): this file speaks the protocol

namespace {

constexpr std::size_t kJoins = 24;  // that it keeps, so that joining all of them anew fits any backlog

}  // namespace

void Worker::join(const Group& group, std::uint64_t count, const Meta& meta, bool visible) {
    if (!attached() || stopped_ || joined_.size() >= kJoins) return;
    const std::uint64_t seq = request(JoinRequest{group, count, meta, visible, 3000});
    joined_.push_back({group, meta, count, {}, seq, world_.clock.now()});
}

void Worker::leave(const Group& group, std::uint64_t count, bool by_number) {
    if (!attached() || stopped_) return;
    LeaveRequest leave{group, {}, count};
    for (const Joined& joined : joined_) {
        if (!by_number || joined.group != group) continue;
        for (const std::uint64_t number : joined.numbers) {
            if (leave.members.size() < count) leave.members.emplace_back(number);
        }
    }
    request(std::move(leave));
}

void Worker::notify(NotificationKind kind, const Group& group, bool wait) {
    if (!attached() || stopped_) return;
    NotifyRequest notify{kind, group, data_of(model_.notices().next_number()), wait, 3000, 0, false};
    if (process_ != 0) {
        notify.call = ++calls_;
        model_.notices().called(number_of(notify.data), process_);
        unsettled_[notify.call] = {notify, false};
    }
    request(std::move(notify));
}

void Worker::query(std::uint64_t which, const Group& group) {
    if (!attached() || stopped_) return;
    switch (which % 8) {
        case 0:
            request(MembersRequest{group, false});
            break;
        case 1:
            request(MembersRequest{group, true});
            break;
        case 2:
            request(GroupsRequest{});
            break;
        case 3:
            request(NodesRequest{});
            break;
        case 4:
            request(ForgetRequest{world_.hosts[(which >> 8) % world_.hosts.size()]->name()});
            break;
        case 5:
            // Where the memory is for few workers, not all fit in one node.
            if (world_.profile.bounds.memory < (1 << 30)) return;
            request(DrainRequest{(which >> 8) % 3 == 0});
            break;
        case 6: {
            const Host& to = *world_.hosts[(which >> 8) % world_.hosts.size()];
            request(MoveRequest{(which >> 16) % 4, to.name() + "@" + to.advertised()});
            break;
        }
        default:
            request(StatusRequest{});
            break;
    }
}

void Worker::watch(const Group& group) {
    if (!attached() || stopped_ || watches_.size() > 3) return;
    Watching watching;
    watching.group = group;
    watching.request = request(WatchRequest{group});
    watches_.push_back(std::move(watching));
}

void Worker::unwatch() {
    if (!attached() || stopped_ || watches_.empty()) return;
    request(UnwatchRequest{watches_.back().request});
    watches_.pop_back();
}

std::vector<Group> Worker::groups() const {
    std::vector<Group> groups;
    for (const Joined& joined : joined_) {
        if (!joined.numbers.empty()) groups.push_back(joined.group);
    }
    return groups;
}

bool Worker::take_reply(const Message& message) {
    const auto asked = asked_.find(message.header.seq);
    const bool more = [&] {
        if (const auto* members = std::get_if<MembersReply>(&message.body)) return !members->last;
        if (const auto* groups = std::get_if<GroupsReply>(&message.body)) return !groups->last;
        return false;
    }();
    if (asked == asked_.end()) {
        // The answer to a request that was sent twice, across a resume.
        if (message.header.seq == 0 || message.header.seq > requests_) return false;
        ++world_.coverage.marks["worker got an answer twice"];
        return true;
    }
    const Message request = asked->second;
    if (!more) asked_.erase(asked);
    take_answer(request, message);
    return true;
}

void Worker::take_answer(const Message& asked, const Message& reply) {
    const auto expect = [&](bool good) {
        if (!good) fail("is answered " + to_text(reply) + " to" + to_text(asked));
    };
    if (const auto* error = std::get_if<ErrorReply>(&reply.body)) {
        const bool leave = std::holds_alternative<LeaveRequest>(asked.body);
        const bool administers = muster::proto::administers(asked.body) &&
                                 (error->code == ErrorCode::refused || error->code == ErrorCode::bad_request);
        expect(administers || (leave && error->code == ErrorCode::not_joined) || error->code == ErrorCode::overloaded);
        std::erase_if(joined_, [&](const Joined& joined) { return joined.request == asked.header.seq; });
        if (const auto* notify = std::get_if<NotifyRequest>(&asked.body)) {
            unsettled_.erase(notify->call);
            model_.notices().refused(number_of(notify->data));
        }
        return;
    }
    if (std::holds_alternative<JoinRequest>(asked.body) || std::holds_alternative<RejoinRequest>(asked.body)) {
        expect(std::holds_alternative<JoinReply>(reply.body));
        answer_join(asked.header.seq, std::get<JoinReply>(reply.body));
    } else if (const auto* leave = std::get_if<LeaveRequest>(&asked.body)) {
        expect(std::holds_alternative<LeaveReply>(reply.body));
        answer_leave(*leave, std::get<LeaveReply>(reply.body));
    } else if (const auto* notify = std::get_if<NotifyRequest>(&asked.body)) {
        expect(std::holds_alternative<NotifyReply>(reply.body));
        const auto& told = std::get<NotifyReply>(reply.body);
        const auto kept = unsettled_.find(notify->call);
        const bool before = kept != unsettled_.end() && std::exchange(kept->second.answered, true);
        settled(told.settled);
        if (!before) model_.notices().answered(number_of(notify->data), told.report, notify->wait);
    } else if (std::holds_alternative<MembersRequest>(asked.body)) {
        expect(std::holds_alternative<MembersReply>(reply.body));
    } else if (std::holds_alternative<GroupsRequest>(asked.body)) {
        expect(std::holds_alternative<GroupsReply>(reply.body));
    } else if (std::holds_alternative<NodesRequest>(asked.body)) {
        expect(std::holds_alternative<NodesReply>(reply.body));
    } else if (std::holds_alternative<StatusRequest>(asked.body)) {
        expect(std::holds_alternative<StatusReply>(reply.body));
    } else {
        expect(std::holds_alternative<DoneReply>(reply.body));
    }
}

void Worker::answer_join(std::uint64_t seq, const JoinReply& reply) {
    Life* life = model_.truth().find(node_);
    auto run = reply.members.begin();  // one for each join that was asked for, in order
    for (Joined& joined : joined_) {
        if (joined.request != seq) continue;
        joined.request = 0;
        if (run == reply.members.end()) fail("is given too few members");
        for (std::uint64_t i = 0; i < run->count; ++i) joined.numbers.insert(run->first.value + i);
        ++run;
        // Some may have left by a request that overtook the answer (visible joins answer late).
        std::erase_if(joined.numbers, [&](std::uint64_t number) {
            const auto real = life->ever.find(number);
            if (real == life->ever.end() || real->second.owner != Owner{name_, token_})
                fail("is given another's member");
            return real->second.gone && real->second.reason == Reason::left;
        });
        joined.count = joined.numbers.size();
    }
    std::erase_if(joined_, [](const Joined& joined) { return joined.request == 0 && joined.count == 0; });
}

/// The session ended before the answer came. The members are not joined again.
void Worker::take_leave_for_done(const LeaveRequest& asked) {
    LeaveReply reply{asked.members};
    std::set<std::uint64_t, std::greater<>> newest;
    for (const Joined& joined : joined_)
        if (joined.group == asked.group) newest.insert(joined.numbers.begin(), joined.numbers.end());
    for (const std::uint64_t number : newest)
        if (asked.members.empty() && reply.members.size() < asked.count) reply.members.emplace_back(number);
    if (!reply.members.empty()) answer_leave(asked, reply);
}

void Worker::answer_leave(const LeaveRequest& asked, const LeaveReply& reply) {
    if (reply.members.empty()) fail("is told that nobody left, without an error");
    for (const MemberNumber member : reply.members) {
        for (Joined& joined : joined_) {
            if (joined.group == asked.group && joined.numbers.erase(member.value) != 0) --joined.count;
        }
    }
    std::erase_if(joined_, [](const Joined& joined) { return joined.request == 0 && joined.count == 0; });
    forget_positions();
}

bool Worker::is_attached_to(const Host& host, std::uint64_t token) const {
    return attached() && node_ == host.id() && token_ == token;
}

bool Worker::was_well(const Host& host, std::uint64_t token) const {
    if (!is_attached_to(host, token) || stopped_) return false;
    if (!world_.network.stands(connector_)) return false;
    const Duration since = world_.clock.now() - ttl_ - seconds(1);
    return troubled_ < since && host.last_pause() < since && world_.network.open_since(place_, host.place(), since);
}

std::optional<std::string> Worker::unsettled() {
    if (!alive_) return std::nullopt;
    if (phase_ != Phase::attached) return "is not attached";
    Host* host = world_.host_of(node_.name);
    if (!host->running() || host->id() != node_) return "is attached to a node that has ended";
    if (!asked_.empty()) return "waits for the answer to" + to_text(asked_.begin()->second);
    if (!items_.empty()) return "has items to handle";
    // What waits for a node that never returns is kept for long, and so are repeated calls, which it may have missed.
    const bool all_run =
        std::all_of(world_.hosts.begin(), world_.hosts.end(), [](const auto& other) { return other->running(); });
    if (!unsettled_.empty() && all_run && host->core().counters().at("link_queue") == 0)
        return "has a call that is not settled";
    const Life* life = model_.life_of(*host);
    std::set<std::uint64_t> believed;
    for (const Joined& joined : joined_) believed.insert(joined.numbers.begin(), joined.numbers.end());
    if (believed != life->all_of({name_, token_})) return "believes in other members than its node";
    for (const Watching& watching : watches_) {
        if (!watching.view) return "has a watch without a snapshot";
        try {
            watching.view->compare(host->core());
        } catch (const Violation& behind) {
            return behind.what();  // events may be on their way
        }
    }
    return std::nullopt;
}

}  // namespace muster::sim
