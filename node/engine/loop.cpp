#include "node/engine/loop.hpp"

#include <algorithm>
#include <utility>

#include "node/io/clock.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::node {
namespace {

constexpr auto kLongestSleep = std::chrono::milliseconds(500);
constexpr auto kHousekeeping = std::chrono::seconds(1);

std::chrono::nanoseconds until(cluster::Instant deadline, cluster::Instant at) {
    if (deadline <= at) return std::chrono::nanoseconds(0);
    if (deadline >= at + kLongestSleep) return kLongestSleep;
    return deadline - at;
}

/// What users do, and not what the node does to stay alive.
bool is_traffic(const cluster::Action& action) {
    if (const auto* publish = std::get_if<cluster::Publish>(&action))
        return publish->kind == cluster::Publish::Kind::deltas;
    if (const auto* send = std::get_if<cluster::SendPeer>(&action))
        return std::holds_alternative<proto::LinkData>(send->message.body);
    if (const auto* send = std::get_if<cluster::SendDoor>(&action))
        return !std::holds_alternative<proto::NodeHeartbeat>(send->message.body);
    return std::holds_alternative<cluster::Deliver>(action) || std::holds_alternative<cluster::TellWatcher>(action);
}

}  // namespace

Loop::Loop(Engine& engine, std::unique_ptr<Sockets> sockets, Sink& sink, std::chrono::microseconds busy_poll)
    : engine_(engine),
      sockets_(std::move(sockets)),
      sink_(sink),
      busy_poll_(busy_poll),
      emit_([this](cluster::EventBody body) { engine_.step(std::move(body)); }),
      turned_(now()) {
    sockets_->guard([this] { return age(); });
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
}

Loop::~Loop() {
    thread_.join();
}

std::chrono::milliseconds Loop::age() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now() - turned_.load());
}

void Loop::run() {
    engine_.step(cluster::Tick{});
    while (!engine_.is_closed()) {
        if (perform()) awake_until_ = now() + busy_poll_;
        wait();
        if (auto error = sockets_->follow_keys(emit_)) sink_.stopped(*std::move(error));
        sockets_->drain(emit_);
        if (auto outcomes = sink_.take_outcomes(); !outcomes.empty())
            engine_.step(cluster::HandlerOutcomes{std::move(outcomes)});
        if (engine_.is_due()) {
            sockets_->drain_nodes(emit_);
            engine_.step(cluster::Tick{});
        }
        if (turned_.load() - housekept_ >= kHousekeeping) {
            housekept_ = turned_;
            sockets_->expire();
        }
    }
    perform();
    sockets_.reset();
}

void Loop::wait() {
    const auto due = engine_.deadline();
    const auto asleep = now();
    sockets_->wait(until(due, asleep), std::max(awake_until_ - asleep, cluster::Duration(0)));
    const auto awake = now();
    const std::lock_guard lock(times_mutex_);
    times_.turns.add(asleep - turned_.load());
    if (due > asleep && awake >= due) times_.lateness.add(awake - due);
    turned_ = awake;
}

Loop::Times Loop::times() const {
    const std::lock_guard lock(times_mutex_);
    return times_;
}

bool Loop::perform() {
    engine_.take(actions_);
    const bool traffic = std::any_of(actions_.begin(), actions_.end(), is_traffic);
    for (auto& action : actions_)
        if (!sockets_->perform(action, emit_) || std::holds_alternative<cluster::IdentityChanged>(action))
            hand_over(std::move(action));
    actions_.clear();
    sink_.delivered();
    return traffic;
}

void Loop::hand_over(cluster::Action&& action) {
    if (auto* deliver = std::get_if<cluster::Deliver>(&action))
        sink_.deliver(std::move(*deliver));
    else if (const auto* gap = std::get_if<cluster::DeliverGap>(&action))
        sink_.deliver(*gap);
    else if (auto* tell = std::get_if<cluster::TellWatcher>(&action))
        sink_.tell(std::move(*tell));
    else if (auto* note = std::get_if<cluster::Note>(&action))
        sink_.note(std::move(*note));
    else if (const auto* identity = std::get_if<cluster::IdentityChanged>(&action))
        sink_.identity_changed(identity->self);
    else if (auto* stop = std::get_if<cluster::Stop>(&action))
        sink_.stopped(std::move(stop->error));
}

}  // namespace muster::node
