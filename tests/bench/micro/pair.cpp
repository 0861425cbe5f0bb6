#include "tests/bench/micro/pair.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace muster::bench {
namespace {

constexpr cluster::Duration kStep = std::chrono::milliseconds(1);
constexpr int kSteps = 10000;  // in which two nodes find each other

cluster::Options options(const std::string& name, const std::string& other) {
    cluster::Options options;
    options.self = {name, Incarnation{1}};
    options.address = name + ":door";
    options.control = name + ":control";
    options.gossip = name + ":gossip";
    options.seeds = {other + ":door"};
    options.random_seed = static_cast<std::uint64_t>(name[0]);
    return options;
}

bool sees_all(const cluster::Core& core) {
    const auto nodes = core.nodes();
    return core.is_ready() && std::count_if(nodes.begin(), nodes.end(),
                                            [](const NodeInfo& node) { return node.state == NodeState::alive; }) == 2;
}

}  // namespace

Pair::Pair() {
    cores_.emplace_back(options("a", "b"));
    cores_.emplace_back(options("b", "a"));
    for (const Side side : {a, b}) step(side, cluster::Tick{});
    for (int i = 0; i < kSteps; ++i) {
        pump();
        if (i > kSteps / 10 && sees_all(cores_[a]) && sees_all(cores_[b])) return;
    }
    std::fprintf(stderr, "the two cores do not find each other\n");
    std::abort();
}

void Pair::step(Side side, cluster::EventBody body) {
    auto actions = std::exchange(actions_, {});
    cores_[side].step({now_, std::move(body)}, actions);
    for (auto& action : actions) perform(side, action);
    actions.clear();
    actions_ = std::move(actions);
}

void Pair::pump() {
    now_ += kStep;
    for (bool rests = false; !rests;) {
        rests = letters_.empty();
        for (auto& letter : std::exchange(letters_, {})) step(letter.to, std::move(letter.message));
        for (const Side side : {a, b}) {
            if (cores_[side].next_deadline() > now_) continue;
            step(side, cluster::Tick{});
            rests = false;
        }
    }
}

void Pair::join(Side side, const Group& group, cluster::HandlerId handler, std::uint64_t count) {
    cluster::LocalJoin event;
    event.call = cluster::CallId{1};
    event.handler = handler;
    event.group = group;
    event.count = count;
    step(side, std::move(event));
}

void Pair::perform(Side side, cluster::Action& action) {
    using cluster::Channel;
    const Side there = other(side);
    if (auto* publish = std::get_if<cluster::Publish>(&action)) {
        if (connected_[there]) letters_.push_back({there, {Channel::gossip, {}, {}, std::move(publish->message)}});
    } else if (auto* send = std::get_if<cluster::SendPeer>(&action)) {
        letters_.push_back({there, {Channel::control, {}, {}, std::move(send->message)}});
    } else if (auto* dial = std::get_if<cluster::Dial>(&action)) {
        letters_.push_back({there, {Channel::door, cluster::ConnectionId{1}, {}, std::move(dial->message)}});
    } else if (auto* answer = std::get_if<cluster::SendDoor>(&action)) {
        const std::string own = side == a ? "a:door" : "b:door";
        letters_.push_back({there, {Channel::dial, {}, own, std::move(answer->message)}});
    } else if (std::holds_alternative<cluster::ConnectPeer>(action)) {
        connected_[side] = true;
        step(there, cluster::LinkUp{cores_[side].self()});
    } else if (auto* deliver = std::get_if<cluster::Deliver>(&action)) {
        for (const auto& to : *deliver->to) delivered_ += to.members.size();
    }
}

}  // namespace muster::bench
