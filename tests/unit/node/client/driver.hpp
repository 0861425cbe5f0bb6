// Drives a session by hand: a test sets the time, gives it the node's messages, and looks at its actions.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/client/session.hpp"

namespace muster::client {

using std::chrono::milliseconds;

inline const Group kOrders{"orders", "subscriptions"};

/// A member of the node's.
inline MemberId id(std::uint64_t number) {
    return {{"a", Incarnation{1700}}, MemberNumber{number}};
}

class Driver {
public:
    static constexpr std::uint64_t kLife = 77;

    /// What addresses resolve to; nothing: the look-up does not end.
    using Names = std::map<std::string, std::optional<std::vector<std::string>>>;

    explicit Driver(std::vector<std::string> nodes = {"a:1", "b:2"}) : Driver(false, {}, std::move(nodes)) {}
    /// Whose session may leave its list or not.
    Driver(std::vector<std::string> nodes, bool listed_only) : Driver(false, {}, std::move(nodes), {}, listed_only) {}
    /// With names that do not resolve to themselves: see `names`.
    Driver(std::vector<std::string> nodes, Names known) : Driver(false, {}, std::move(nodes), std::move(known)) {}
    /// With a state file in which an earlier process left `saved`.
    Driver(SavedSession saved, std::vector<std::string> nodes) : Driver(true, std::move(saved), std::move(nodes)) {}

    void after(milliseconds time) {
        now += time;
        session.tick(now);
        take();
    }
    void tick() { after(milliseconds(0)); }
    /// The connection breaks, and the same node gets a hello.
    void lose() {
        after(milliseconds(100));  // a connection that breaks sooner is retried after a pause
        session.connection_broken(now);
        tick();
        forget();
    }

    /// A message from the node.
    void hear(proto::Body body, std::uint64_t seq = 0) {
        session.message_arrived(now, {{"default", node.id.name, node.id.incarnation.value, seq}, std::move(body)});
        take();
    }
    void welcome(std::uint64_t token, bool resumed = false, std::vector<std::string> others = {},
                 std::uint64_t grace_ms = 1000) {
        hear(proto::WorkerWelcome{SessionToken{token}, resumed, 500, 2000, grace_ms, node, std::move(others),
                                  handover_ms});
    }
    void deliver(std::uint64_t seq, std::vector<std::uint64_t> members, const std::string& data = "\xc0") {
        hear(proto::Deliveries{{delivery(seq, members, data)}}, seq);
    }
    static proto::Delivery delivery(std::uint64_t seq, const std::vector<std::uint64_t>& members,
                                    const std::string& data = "\xc0") {
        proto::Notice notice{NotificationKind::created, kOrders, {data}, {"a", Incarnation{1700}}, "", seq, 0, {}, 0};
        return {std::move(notice), std::make_shared<const std::vector<MemberNumber>>(members.begin(), members.end())};
    }

    /// A user's call.
    void call(std::uint64_t id, Purpose purpose, milliseconds timeout = milliseconds(5000)) {
        session.call(now, CallId{id}, now + timeout, std::move(purpose));
        take();
    }
    void join(std::uint64_t id, std::uint64_t count = 1, const Group& group = kOrders) {
        call(id, JoinCall{{group, count, {}, false, 4800}, handler});
    }
    /// Joins, and the node replies with numbers from `first` on. `request`: the number that the request will have.
    void joined(std::uint64_t request, std::uint64_t first, std::uint64_t count = 1) {
        join(100 + request, count);
        hear(proto::JoinReply{{{MemberNumber{first}, count}}, 0}, request);
    }

    /// The bodies of one kind that were sent since `forget`.
    template <class T>
    std::vector<T> sent() const {
        std::vector<T> list;
        for (const auto& action : actions)
            if (const auto* send = std::get_if<Send>(&action))
                if (const auto* body = std::get_if<T>(&send->message.body)) list.push_back(*body);
        return list;
    }
    /// Numbers of the requests sent since `forget`.
    std::vector<std::uint64_t> requests() const {
        std::vector<std::uint64_t> numbers;
        for (const auto& action : actions)
            if (const auto* send = std::get_if<Send>(&action); send && send->message.header.seq != 0)
                numbers.push_back(send->message.header.seq);
        return numbers;
    }
    template <class T>
    std::vector<T> all() const {
        std::vector<T> list;
        for (const auto& action : actions)
            if (const auto* one = std::get_if<T>(&action)) list.push_back(*one);
        return list;
    }
    std::vector<std::string> opened() const {
        std::vector<std::string> list;
        for (const auto& open : all<Open>()) list.push_back(open.endpoint);
        return list;
    }
    /// Items for the handlers' thread, except attachments.
    std::vector<Item> items() const {
        auto list = all<Item>();
        std::erase_if(list, [](const Item& item) { return std::holds_alternative<Attachment>(item.what); });
        return list;
    }
    std::optional<Reply> answer(std::uint64_t id) const {
        for (const auto& one : all<Answer>())
            if (one.call == CallId{id}) return one.reply;
        return std::nullopt;
    }
    /// The code of the error with which the call ended.
    std::optional<ErrorCode> error(std::uint64_t id) const {
        const auto reply = answer(id);
        const auto* problem = reply ? std::get_if<Error>(&*reply) : nullptr;
        return problem ? std::optional(problem->code) : std::nullopt;
    }
    /// Ends a look-up. Names resolve to themselves, unless `names` says otherwise.
    void resolve(const std::string& address) {
        const auto found = names.find(address);
        if (found != names.end() && !found->second) return;  // the look-up does not end
        const std::string itself(host_port_of(address));
        session.resolved(now, address, found == names.end() ? std::vector{itself} : *found->second);
        take();
    }
    void forget() { actions.clear(); }

    Instant now{milliseconds(1'000'000)};
    NodeInfo node{{"a", Incarnation{1700}}, NodeState::alive, "a:1"};  // that answers
    std::uint64_t handover_ms = 0;                                     // that its welcome says
    Names names;
    SavedSession kept;  // what a state file would have, except `received`
    Session session;
    Actions actions;
    Handler handler = std::make_shared<const OnNotification>([](const Notification&) {});

private:
    Driver(bool keeps, SavedSession saved, std::vector<std::string> nodes, Names known = {}, bool listed_only = false)
        : names(std::move(known)),
          kept(saved),
          session({"w1", "default", std::move(nodes), true, 7, keeps, std::move(saved), milliseconds(5000), listed_only,
                   kLife}) {
        session.start(now);
        take();
    }
    void take() {
        Actions taken;
        session.take_actions(taken);
        std::vector<std::string> look_ups;
        for (auto& action : taken) {
            if (const auto* keep = std::get_if<Keep>(&action)) {
                EXPECT_TRUE(apply(kept, keep->message));
                if (std::holds_alternative<proto::WorkerHello>(keep->message.body)) kept.requests = 0;
            }
            if (const auto* reserve = std::get_if<Reserve>(&action)) kept.requests = reserve->requests;
            if (const auto* look_up = std::get_if<LookUp>(&action)) look_ups.push_back(look_up->address);
            actions.push_back(std::move(action));
        }
        for (const auto& address : look_ups) resolve(address);
    }
};

inline std::vector<std::uint64_t> numbers_of(const std::vector<MemberNumber>& members) {
    std::vector<std::uint64_t> list;
    for (const auto member : members) list.push_back(member.value);
    return list;
}

}  // namespace muster::client
