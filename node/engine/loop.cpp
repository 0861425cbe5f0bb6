#include "node/engine/loop.hpp"

#include <algorithm>
#include <utility>

#include "node/io/clock.hpp"
#include "node/io/overloaded.hpp"
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

/// Whether the action is caused by joins, leaves and notifications, and not only by what keeps the node alive.
bool is_traffic(const cluster::Publish& action) {
    return action.kind == cluster::Publish::Kind::deltas;
}
bool is_traffic(const cluster::SendPeer& action) {
    return std::holds_alternative<proto::LinkData>(action.message.body);
}
bool is_traffic(const cluster::SendDoor& action) {
    return !std::holds_alternative<proto::NodeHeartbeat>(action.message.body);
}
bool is_traffic(const cluster::Deliver&) {
    return true;
}
bool is_traffic(const cluster::TellWatcher&) {
    return true;
}
template <class Other>
bool is_traffic(const Other&) {
    return false;
}

}  // namespace

Loop::Loop(Engine& engine, std::unique_ptr<Sockets> sockets, LoopCallbacks& node, std::chrono::microseconds busy_poll)
    : engine_(engine),
      sockets_(std::move(sockets)),
      node_(node),
      busy_poll_(busy_poll),
      emit_([this](cluster::EventBody body) { engine_.step(std::move(body)); }),
      turn_began_(now()) {
    sockets_->start_flood_guard([this] { return age(); });
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
}

Loop::~Loop() {
    thread_.join();
}

std::chrono::milliseconds Loop::age() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now() - turn_began_.load());
}

void Loop::run() {
    engine_.step(cluster::Tick{});
    while (!engine_.is_closed()) {
        if (perform()) poll_until_ = now() + busy_poll_;
        wait();
        if (auto error = sockets_->apply_key_changes(emit_)) node_.stopped(*std::move(error));
        sockets_->drain(emit_);
        if (auto outcomes = node_.take_outcomes(); !outcomes.empty())
            engine_.step(cluster::HandlerOutcomes{std::move(outcomes)});
        if (engine_.is_due()) {
            // drain() is bounded, so messages may still wait. A Tick judges who was silent, so the words of nodes that
            // wait in a socket must be heard first.
            sockets_->drain_nodes(emit_);
            engine_.step(cluster::Tick{});
        }
        if (turn_began_.load() - last_housekeeping_ >= kHousekeeping) {
            last_housekeeping_ = turn_began_;
            sockets_->expire();
        }
    }
    perform();  // the Goodbye, and what callers asked for before the engine was closed
    sockets_.reset();
}

void Loop::wait() {
    const auto due = engine_.deadline();
    const auto work = cpu_time() - used_before_turn_;
    const auto asleep = now();
    sockets_->wait(until(due, asleep), std::max(poll_until_ - asleep, cluster::Duration(0)));
    const auto awake = now();
    used_before_turn_ = cpu_time();  // polling is not work
    const std::lock_guard lock(times_mutex_);
    times_.turns.add(asleep - turn_began_.load());
    times_.work.add(std::chrono::duration_cast<Histogram::Duration>(work));
    if (due > asleep && awake >= due) times_.lateness.add(awake - due);
    turn_began_ = awake;
}

Loop::Times Loop::times() const {
    const std::lock_guard lock(times_mutex_);
    return times_;
}

bool Loop::perform() {
    // Each action has one performer: the sockets, which overload perform() for theirs, or the node. An action that has
    // none does not compile.
    const Overloaded performer{
        [](cluster::Answer&) {},  // performed by the engine, like the next
        [](cluster::GroupChanged&) {},
        [this](cluster::Deliver& action) { node_.deliver(std::move(action)); },
        [this](cluster::DeliverGap& action) { node_.deliver(action); },
        [this](cluster::TellWatcher& action) { node_.tell(std::move(action)); },
        [this](cluster::Note& action) { node_.note(std::move(action)); },
        [this](cluster::Stop& action) { node_.stopped(std::move(action.error)); },
        [this](auto& action) { sockets_->perform(action, emit_); },
    };
    engine_.take(actions_);
    bool traffic = false;
    for (auto& action : actions_) {
        traffic = traffic || std::visit([](const auto& one) { return is_traffic(one); }, action);
        std::visit(performer, action);
    }
    actions_.clear();
    sockets_->flush(emit_);
    node_.flush_deliveries();
    return traffic;
}

}  // namespace muster::node
