#include "cluster/workers/visibility.hpp"

#include <algorithm>
#include <utility>

namespace muster::cluster {

void Visibility::wait(const Caller& caller, proto::JoinReply reply, Instant deadline, const SharedShare& share) {
    if (!ctx_.waits.has_room(share->waits, 1)) {
        ctx_.count("waits_refused");
        answers_.emplace_back(
            caller, Error{ErrorCode::overloaded, "the members have joined, but too many joins wait to be visible"});
        return;
    }
    Wait wait{caller, std::move(reply), {}, {}, deadline, ctx_.now, Drawn(ctx_.waits, waits_of(share))};
    wait.place += 1;
    ask_all(wait);
    waits_.push_back(std::move(wait));
    finish_done();
}

/// A node that comes up later begins with a table that has the members already.
void Visibility::ask_all(Wait& wait) const {
    wait.seq = replicas_.own().applied();
    wait.ask_at = ctx_.now;
    for (const auto& [name, peer] : peers_.all())
        if (peer.is_live()) wait.outstanding.insert(name);
}

void Visibility::begin_life() {
    for (Wait& wait : waits_) ask_all(wait);
}

void Visibility::finish_done() {
    std::erase_if(waits_, [&](Wait& wait) {
        if (!wait.outstanding.empty() && ctx_.now < wait.deadline) return false;
        wait.reply.unseen = wait.outstanding.size();
        answers_.emplace_back(wait.caller, std::move(wait.reply));
        return true;
    });
}

void Visibility::pinged(const NodeId& from, std::uint64_t nonce, Seq seq) {
    const Owed owed{from, nonce, seq};
    owed_.erase(from.name);  // the later question is about more of the log
    if (shown(from.name) >= seq)
        pong(owed);
    else
        owed_.emplace(from.name, owed);
}

void Visibility::pong(const Owed& owed) {
    const Peer* peer = peers_.find(owed.to.name);
    if (!peer) return;
    proto::Pong pong{owed.nonce, owed.to, shown(owed.to.name), 0, peers_.report_for(*peer)};
    if (owed.nonce != 0) return peers_.send(owed.to.name, pong);  // asked by a visible join: both hear each other
    pong.digest = replicas_.own().digest();
    peers_.send(owed.to.name, pong, replicas_.own().applied().value);
}

Seq Visibility::shown(const std::string& node) const {
    const Replica* replica = replicas_.shown(node);
    return replica ? replica->applied() : Seq{};
}

void Visibility::ponged(const std::string& from, const proto::Pong& pong) {
    if (pong.about != ctx_.self) return;
    for (auto& wait : waits_)
        if (pong.applied >= wait.seq) wait.outstanding.erase(from);
    finish_done();
}

void Visibility::on(const Transition& transition) {
    if (transition.kind == Transition::Kind::up) return;
    owed_.erase(transition.id.name);
    for (auto& wait : waits_) wait.outstanding.erase(transition.id.name);
    finish_done();
}

bool Visibility::wants_flush() const {
    return std::any_of(waits_.begin(), waits_.end(), [&](const Wait& wait) { return wait.ask_at <= ctx_.now; }) ||
           std::any_of(owed_.begin(), owed_.end(),
                       [&](const auto& entry) { return shown(entry.first) >= entry.second.seq; });
}

void Visibility::flush() {
    finish_done();
    std::set<std::string> ask;
    for (auto& wait : waits_) {
        if (wait.ask_at > ctx_.now) continue;
        wait.ask_at = ctx_.now + ctx_.options.timing.tick;  // a Ping or a Pong may be lost
        ask.insert(wait.outstanding.begin(), wait.outstanding.end());
    }
    for (const auto& name : ask) peers_.send(name, proto::Ping{1}, replicas_.own().applied().value);
    std::erase_if(owed_, [&](const auto& entry) {
        if (shown(entry.first) < entry.second.seq) return false;
        pong(entry.second);
        return true;
    });
}

}  // namespace muster::cluster
