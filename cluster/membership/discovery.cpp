#include "cluster/membership/discovery.hpp"

#include <algorithm>

#include "cluster/membership/seal.hpp"

namespace muster::cluster {
namespace {

constexpr Duration kComplainEvery = std::chrono::seconds(30);

std::string taken(const std::string& name, const std::string& address) {
    return "name '" + name + "' is taken by a live node at " + address + ": choose another name, or stop that node";
}

}  // namespace

Discovery::Discovery(Context& context, Peers& peers) : ctx_(context), peers_(peers) {
    for (const auto& seed : ctx_.options.seeds) targets_[seed].seed = true;
}

bool Discovery::refuse(ConnectionId connection, ErrorCode code, const std::string& text) {
    switch (code) {
        case ErrorCode::wrong_scope:
            ctx_.count("hellos_refused_wrong_scope");
            break;
        case ErrorCode::name_taken:
            ctx_.count("hellos_refused_name_taken");
            break;
        case ErrorCode::refused:
            ctx_.count("hellos_refused_key");
            break;
        default:
            ctx_.count("hellos_refused_not_alive");
            break;
    }
    ctx_.emit(SendDoor{connection, ctx_.message(proto::Refuse{code, text})});
    return false;
}

bool Discovery::hello(const proto::Message& message, const Sender& sender, ConnectionId connection, Seq seq) {
    const auto& caller = std::get<proto::Hello>(message.body).self;
    if (message.header.scope != ctx_.options.scope)
        return refuse(connection, ErrorCode::wrong_scope,
                      "this node serves scope '" + ctx_.options.scope + "', not '" + message.header.scope + "'");
    if (const auto why = why_not_believed(caller, sender); !why.empty())
        return refuse(connection, ErrorCode::refused, why);
    const bool itself = caller.id == ctx_.self;
    if (caller.state != NodeState::alive)
        return refuse(connection, ErrorCode::bad_request, "a hello must come from a live node");
    if (caller.id.name == ctx_.self.name && !itself)
        return refuse(connection, ErrorCode::name_taken, taken(ctx_.self.name, ctx_.options.address));
    if (const Peer* holder = holder_of(caller))
        return refuse(connection, ErrorCode::name_taken, taken(caller.id.name, holder->record.address));
    answer_hello(caller, connection, seq);
    return true;
}

/// One line for who says hello with a key that is not its own, as far as keys can tell.
std::string Discovery::why_not_believed(const proto::PeerRecord& caller, const Sender& sender) const {
    if (!ctx_.options.notary) return {};
    if (sender.role != Sender::Role::node)
        return "this key is none of a node: use the key of node '" + caller.id.name + "'";
    if (sender.name != caller.id.name)
        return "this is the key of node '" + sender.name + "': node '" + caller.id.name + "' needs its own";
    if (!is_proven(ctx_, caller))
        return "the sign-key in " + caller.id.name + ".pub does not fit this node's key: copy the file to all again";
    return {};
}

const Peer* Discovery::holder_of(const proto::PeerRecord& newcomer) const {
    const Peer* known = peers_.find(newcomer.id.name);
    const bool other = known && known->is_live() && known->record.id != newcomer.id;
    return other && known->record.address != newcomer.address ? known : nullptr;
}

void Discovery::answer_hello(const proto::PeerRecord& caller, ConnectionId connection, Seq seq) {
    proto::Welcome welcome{peers_.self_record(seq), {}, {}};
    if (caller.id != ctx_.self) {
        if (const Peer* known = peers_.find(caller.id.name)) welcome.known = known->record.id.incarnation;
        // A life that has left, or an earlier one, must take a higher incarnation first: merge refuses it.
        peers_.merge(caller, caller.id.name);
        peers_.greeted(caller.id);
        peers_.way_is_open(caller.id);
        const Peer* now_known = peers_.find(caller.id.name);
        if (now_known && !now_known->is_live() && now_known->record.id == caller.id)
            peers_.confirm_alive(caller.id, caller.refutation, {});
    }
    welcome.peers = peers_.records(false);
    std::erase_if(welcome.peers, [&](const auto& record) { return record.id.name == caller.id.name; });
    const Peer* known = peers_.find(caller.id.name);
    if (known && known->record.id == caller.id && known->record.state == NodeState::down)
        welcome.peers.push_back(known->record);  // it lives: let it refute
    if (ctx_.options.notary && known && known->record.id.incarnation > caller.id.incarnation)
        welcome.peers.push_back(known->record);  // the proof of what `known` says
    ctx_.emit(SendDoor{connection, ctx_.message(std::move(welcome))});
}

bool Discovery::welcome(const proto::Message& message, const std::string& address, Incarnation& adopt) {
    const auto& welcome = std::get<proto::Welcome>(message.body);
    if (message.header.scope != ctx_.options.scope) return false;
    const auto it = targets_.find(address);
    if (it == targets_.end()) return false;
    Target& target = it->second;
    target.refused_since = kNever;
    if (welcome.self.id == ctx_.self) {
        target.self = true;
        return false;
    }
    if (const Peer* holder = holder_of(welcome.self)) {  // whoever came first stays
        complain(target, Note::Kind::name_taken, "",
                 address + ": " + taken(welcome.self.id.name, holder->record.address));
        return false;
    }
    if (welcome.known > ctx_.self.incarnation) {
        if (!is_known_proven(welcome)) {
            ctx_.count("lives_unproven");
            return false;
        }
        // Not just the next: two lives that are told of the same earlier one must not take the same.
        adopt = welcome.known.plus(1 + ctx_.random.below(1u << 20));
        return true;
    }
    target.name = welcome.self.id.name;
    peers_.merge(welcome.self, welcome.self.id.name);
    peers_.greeted(welcome.self.id);
    peers_.way_is_open(welcome.self.id);
    for (const auto& record : welcome.peers) peers_.merge(record, welcome.self.id.name);
    return false;
}

bool Discovery::is_known_proven(const proto::Welcome& welcome) {
    const NodeId later{ctx_.self.name, welcome.known};
    return !ctx_.options.notary || std::ranges::any_of(welcome.peers, [&](const proto::PeerRecord& record) {
        return record.id == later && is_proven(ctx_, record);
    });
}

void Discovery::refused(const proto::Refuse& refusal, const std::string& address) {
    const auto it = targets_.find(address);
    if (it == targets_.end()) return;
    Target& target = it->second;
    const bool is_taken = refusal.code == ErrorCode::name_taken;
    if (!is_taken) return complain(target, Note::Kind::dial_refused, address, refusal.text);
    complain(target, Note::Kind::name_taken, "", address + " refuses this node: " + refusal.text);
    target.refused_at = ctx_.now;
    target.refused_since = std::min(target.refused_since, ctx_.now);
    if (ctx_.now - target.refused_since >= ctx_.options.timing.name_conflict_wait)
        ctx_.emit(Stop{{ErrorCode::name_taken, refusal.text}});
}

void Discovery::complain(Target& target, Note::Kind kind, const std::string& who, const std::string& text) {
    if (ctx_.now - target.complained_at <= kComplainEvery) return;
    target.complained_at = ctx_.now;
    ctx_.note(kind, who, text);
}

bool Discovery::is_refused() const {
    return std::any_of(targets_.begin(), targets_.end(),
                       [](const auto& entry) { return entry.second.refused_since != kNever; });
}

bool Discovery::is_wanted(const Target& target) const {
    if (target.self) return false;
    const Peer* peer = target.name.empty() ? nullptr : peers_.find(target.name);
    if (!peer) return target.seed || !target.name.empty();
    if (peer->record.state == NodeState::left) return target.seed;
    return !peer->is_live() || !peer->greeted;
}

void Discovery::add_targets() {
    for (const auto& [name, peer] : peers_.all()) {
        const bool unsettled = peer.record.state == NodeState::down || (peer.is_live() && !peer.greeted);
        if (unsettled && !peer.record.address.empty()) targets_[peer.record.address].name = name;
    }
}

bool Discovery::is_to_be_seen_again(const Target& target) const {
    const Timing& timing = ctx_.options.timing;
    return target.seed && ctx_.now - target.dialed >= (target.self ? timing.own_seed_again : timing.seed_again);
}

void Discovery::dial(const std::string& address, Target& target, Seq seq) {
    target.dialed = ctx_.now;
    ctx_.emit(Dial{address, ctx_.message(proto::Hello{peers_.self_record(seq)})});
}

void Discovery::tick(Seq seq) {
    add_targets();
    for (auto it = targets_.begin(); it != targets_.end();) {
        auto& [address, target] = *it;
        const bool known = target.seed || (!target.name.empty() && peers_.find(target.name));
        const bool wanted = known && is_wanted(target);
        const bool told_lately = ctx_.now - target.refused_at < 2 * ctx_.options.timing.redial_max;
        if (!wanted || !told_lately) target.refused_since = kNever;
        if (!wanted && target.open) {
            ctx_.emit(HangUp{address});
            target.open = false;
            target.wait = {};
            target.due = {};
        }
        if (wanted && ctx_.now >= target.due) {
            const Timing& timing = ctx_.options.timing;
            target.wait = std::clamp(2 * target.wait, timing.redial_min, timing.redial_max);
            target.due = ctx_.now + ctx_.random.jitter(target.wait);
            target.open = true;
            dial(address, target, seq);
        } else if (!wanted && is_to_be_seen_again(target)) {
            dial(address, target, seq);
        }
        it = !wanted && !target.seed ? targets_.erase(it) : std::next(it);
    }
}

bool Discovery::has_met_anyone() const {
    bool all_self = true;
    for (const auto& [address, target] : targets_) {
        if (!target.seed) continue;
        if (!target.self && !target.name.empty()) return true;
        all_self = all_self && target.self;
    }
    return all_self;
}

}  // namespace muster::cluster
