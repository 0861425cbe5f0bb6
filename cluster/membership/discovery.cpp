#include "cluster/membership/discovery.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/membership/seal.hpp"

namespace muster::cluster {
namespace {

constexpr Duration kNoteInterval = std::chrono::seconds(30);
constexpr Duration kTurn = std::chrono::seconds(2);  // for a connect, a hello and its answer
constexpr std::size_t kTurnNodes = 4;

std::string name_taken(const std::string& name, const std::string& address) {
    return "name '" + name + "' is taken by a live node at " + address + ": choose another name, or stop that node";
}

}  // namespace

Discovery::Discovery(Context& context, Peers& peers) : ctx_(context), peers_(peers) {
    for (const auto& seed : ctx_.options.seeds) targets_[seed].is_seed = true;
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
        case ErrorCode::unreachable:
            ctx_.count("hellos_refused_other_node");
            break;
        case ErrorCode::overloaded:  // counted as peers_refused
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
    const auto& expects = std::get<proto::Hello>(message.body).expects;
    if (message.header.scope != ctx_.options.scope)
        return refuse(connection, ErrorCode::wrong_scope,
                      "this node serves scope '" + ctx_.options.scope + "', not '" + message.header.scope + "'");
    if (!expects.empty() && expects != ctx_.self.name)
        return refuse(connection, ErrorCode::unreachable,
                      "this is node '" + ctx_.self.name + "', not '" + expects + "'");
    if (const auto why = why_not_believed(caller, sender); !why.empty())
        return refuse(connection, ErrorCode::refused, why);
    const bool itself = caller.id == ctx_.self;
    if (caller.state != NodeState::alive)
        return refuse(connection, ErrorCode::bad_request, "a hello must come from a live node");
    if (peers_.is_beyond_clocks(caller.id)) {
        ctx_.count("incarnations_unbelieved");
        return refuse(connection, ErrorCode::bad_request,
                      "the clock of node '" + caller.id.name + "' is decades ahead: set it, and start that node again");
    }
    if (caller.id.name == ctx_.self.name && !itself)
        return refuse(connection, ErrorCode::name_taken, name_taken(ctx_.self.name, ctx_.options.address));
    if (const Peer* holder = holder_of_name(caller))
        return refuse(connection, ErrorCode::name_taken, name_taken(caller.id.name, holder->record.address));
    if (!send_welcome(caller, connection, seq))
        return refuse(connection, ErrorCode::overloaded,
                      "this node knows as many live nodes as it may (" + std::to_string(ctx_.options.bounds.peers) +
                          "): raise peers, on all nodes");
    return true;
}

std::string Discovery::why_not_believed(const proto::PeerRecord& caller, const Sender& sender) {
    if (!ctx_.options.notary) return {};
    if (sender.role != Sender::Role::node)
        return "this is not the key of a node: use the key of node '" + caller.id.name + "'";
    if (sender.name != caller.id.name)
        return "this is the key of node '" + sender.name + "': node '" + caller.id.name + "' needs its own";
    if (!peers_.may_check(sender.name)) return "too many hellos with this key: try again later";
    if (!is_proven(ctx_, caller))
        return "the sign-key in " + caller.id.name +
               ".pub does not belong to this node's key: copy the file to all nodes again";
    return {};
}

/// A live node at the same address that is not heard any more is no conflict: its process was restarted.
const Peer* Discovery::holder_of_name(const proto::PeerRecord& newcomer) const {
    const Peer* known = peers_.find(newcomer.id.name);
    if (!known || !known->is_live() || known->record.id == newcomer.id) return nullptr;
    return known->record.address != newcomer.address || peers_.is_serving(*known) ? known : nullptr;
}

bool Discovery::send_welcome(const proto::PeerRecord& caller, ConnectionId connection, Seq seq) {
    proto::Welcome welcome{peers_.self_record(seq), {}, {}};
    if (caller.id != ctx_.self) {
        if (const Peer* known = peers_.find(caller.id.name)) welcome.known = known->record.id.incarnation;
        // No effect if the caller's life has left or is an earlier one: it must take a higher incarnation first.
        peers_.greet(caller, caller.id.name);
        if (!peers_.find(caller.id.name)) return false;
        peers_.mark_knows_us(caller.id);
        peers_.reopen_if_silent(caller.id);
        peers_.report_death_to(caller.id);
    }
    welcome.peers = peers_.records(false);
    std::erase_if(welcome.peers, [&](const auto& record) { return record.id.name == caller.id.name; });
    const Peer* known = peers_.find(caller.id.name);
    if (known && known->record.id == caller.id && known->record.state == NodeState::down)
        welcome.peers.push_back(known->record);  // it lives, so let it refute
    if (ctx_.options.notary && known && known->record.id.incarnation > caller.id.incarnation)
        welcome.peers.push_back(known->record);  // the proof that `welcome.known` is true
    // Its front door answers although its channels may not: this answer always arrives.
    if (known && known->record.id == caller.id) welcome.channels = peers_.report_for(*known);
    ctx_.emit(SendDoor{connection, ctx_.message(std::move(welcome))});
    return true;
}

bool Discovery::welcome(const proto::Message& message, const std::string& address) {
    const auto& welcome = std::get<proto::Welcome>(message.body);
    if (message.header.scope != ctx_.options.scope) return false;
    const auto it = targets_.find(address);
    if (it == targets_.end()) return false;
    Target& target = it->second;
    target.name_refused_since = kNever;
    if (is_somebody_else(message.header, target)) return false;
    if (welcome.self.id == ctx_.self) {
        target.is_self = true;
        return false;
    }
    if (const Peer* holder = holder_of_name(welcome.self)) {  // of two nodes with one name, the first one stays
        note(target, Note::Kind::name_taken, "",
             address + ": " + name_taken(welcome.self.id.name, holder->record.address));
        return false;
    }
    if (welcome.known > ctx_.self.incarnation) {
        if (peers_.is_beyond_clocks({ctx_.self.name, welcome.known})) {
            ctx_.count("incarnations_unbelieved");
            return false;
        }
        if (!is_known_proven(welcome)) {
            ctx_.count("lives_unproven");
            return false;
        }
        proto::PeerRecord later = peers_.self_record({});
        later.id.incarnation = welcome.known;
        later.state = NodeState::down;  // a node that believes it alive at another address refuses this one
        peers_.namesakes().heard_of(later);
        return false;
    }
    target.name = welcome.self.id.name;
    target.said_at.clear();
    peers_.greet(welcome.self, welcome.self.id.name);
    peers_.tell_of_later_life(welcome.self.id);
    if (Peer* peer = peers_.find(target.name); peer && peer->record.id == welcome.self.id)
        peers_.take_report(*peer, welcome.channels);
    peers_.mark_knows_us(welcome.self.id);
    peers_.reopen_if_silent(welcome.self.id);
    for (const auto& record : welcome.peers) peers_.greet(record, welcome.self.id.name);
    return true;
}

bool Discovery::is_known_proven(const proto::Welcome& welcome) {
    const NodeId later{ctx_.self.name, welcome.known};
    if (!ctx_.options.notary) return true;
    const auto& told = welcome.peers;
    const auto proof = std::find_if(told.begin(), told.end(), [&](const auto& record) { return record.id == later; });
    return proof != told.end() && is_proven(ctx_, *proof);  // only the first: each check takes time
}

/// Whether another node than the one that is known there answers at an address that is no seed. Its address is then
/// forgotten: it may belong to another cluster, which must not be drawn into this one.
bool Discovery::is_somebody_else(const proto::Header& from, const Target& target) {
    if (target.is_seed || target.name.empty()) return false;
    if (from.origin == target.name && from.scope == ctx_.options.scope) return false;
    peers_.mark_moved(target.name);
    return true;
}

void Discovery::refused(const proto::Message& message, const std::string& address) {
    const auto& refusal = std::get<proto::Refuse>(message.body);
    const auto it = targets_.find(address);
    if (it == targets_.end()) return;
    Target& target = it->second;
    if (is_somebody_else(message.header, target))
        return ctx_.note(Note::Kind::dial_refused, address,
                         "node '" + message.header.origin + "' of scope '" + message.header.scope +
                             "' has the address of node '" + target.name + "' now, which is not dialed any more");
    if (refusal.code != ErrorCode::name_taken) return note(target, Note::Kind::dial_refused, address, refusal.text);
    note(target, Note::Kind::name_taken, "", address + " refuses this node: " + refusal.text);
    target.name_refused_at = ctx_.now;
    target.name_refused_since = std::min(target.name_refused_since, ctx_.now);
    // After a quick restart the name's holder is this node's own earlier life, which will be found dead within that
    // time.
    if (!ctx_.is_serving && ctx_.now - target.name_refused_since >= ctx_.options.timing.name_conflict_wait)
        ctx_.emit(Stop{{ErrorCode::name_taken, refusal.text}});
}

void Discovery::note(Target& target, Note::Kind kind, const std::string& node, const std::string& text) {
    if (ctx_.now - target.noted_at <= kNoteInterval) return;
    target.noted_at = ctx_.now;
    ctx_.note(kind, node, text);
}

bool Discovery::is_refused() const {
    return std::any_of(targets_.begin(), targets_.end(),
                       [](const auto& entry) { return entry.second.name_refused_since != kNever; });
}

bool Discovery::needs_hello(const Target& target) const {
    if (target.is_self) return false;
    const Peer* peer = target.name.empty() ? nullptr : peers_.find(target.name);
    // A node that is elsewhere must not keep this one from a seed, where somebody else said that it was.
    if (peer && !target.said_at.empty() && peer->record.address != target.said_at) peer = nullptr;
    if (!peer || peer->record.state == NodeState::left) return target.is_seed;
    if (peer->has_moved || peer->is_dormant) return target.is_seed || ctx_.now < target.turn_ends;
    return !peer->is_live() || !peer->knows_us;
}

/// Dials the later life of this node's own name where it is said to run.
void Discovery::ask_namesake(Seq seq) {
    const auto address = peers_.namesakes().address_to_ask();
    if (address != namesake_address_ && !namesake_address_.empty()) ctx_.emit(HangUp{namesake_address_});
    namesake_address_.clear();
    if (address.empty() || targets_.contains(address)) return;  // a target gets hellos anyway
    namesake_address_ = address;
    if (ctx_.now - namesake_asked_at_ < ctx_.options.timing.redial_max) return;
    namesake_asked_at_ = ctx_.now;
    ctx_.emit(Dial{address, ctx_.message(proto::Hello{peers_.self_record(seq), ctx_.self.name})});
}

/// Nodes that are down get hellos as well. After a split both sides believe each other down, and these hellos are how
/// they meet again.
void Discovery::add_targets() {
    for (const auto& [name, peer] : peers_.all()) {
        const bool unmet = peer.record.state == NodeState::down || (peer.is_live() && !peer.knows_us);
        const bool sleeps = peer.is_dormant || peer.waits;
        if (unmet && !sleeps && !peer.has_moved && !peer.record.address.empty()) target_of(peer);
    }
    if (ctx_.now >= next_turn_) begin_turn();
}

/// Of peers that advertise one address, the first is expected there until it has answered, or another node has.
Discovery::Target& Discovery::target_of(const Peer& peer) {
    Target& target = targets_[peer.record.address];
    const Peer* expected = peers_.find(target.name);
    const bool waits = expected && expected->record.address == peer.record.address && needs_hello(target);
    if (!waits && target.name != peer.record.id.name) {
        target.name = peer.record.id.name;
        target.said_at = peer.record.address;
    }
    return target;
}

/// Nodes that are down for long are dialed in turn, a few at a time, so that any number of them costs few descriptors.
void Discovery::begin_turn() {
    next_turn_ = ctx_.now + kTurn;
    std::vector<const Peer*> dormant;
    for (const auto& [name, peer] : peers_.all())
        if (peer.is_dormant && !peer.has_moved && !peer.record.address.empty()) dormant.push_back(&peer);
    const auto first = std::upper_bound(dormant.begin(), dormant.end(), last_turn_,
                                        [](const auto& name, const Peer* one) { return name < one->record.id.name; });
    std::rotate(dormant.begin(), first, dormant.end());
    dormant.resize(std::min(dormant.size(), kTurnNodes));
    for (const Peer* peer : dormant) {
        target_of(*peer).turn_ends = next_turn_;
        last_turn_ = peer->record.id.name;
    }
}

/// A seed may be a host name for several nodes. So hellos go on, rarely, although one node there is known already:
/// another one may answer the next time. Only so two clusters meet that were started under one name.
bool Discovery::is_seed_due_again(const Target& target) const {
    const Timing& timing = ctx_.options.timing;
    return target.is_seed &&
           ctx_.now - target.dialed_at >= (target.is_self ? timing.own_seed_again : timing.seed_again);
}

void Discovery::dial(const std::string& address, Target& target, Seq seq) {
    target.dialed_at = ctx_.now;
    // Whoever answers at a seed is welcome. At any other address one node is known.
    const std::string expects = target.is_seed ? std::string() : target.name;
    ctx_.emit(Dial{address, ctx_.message(proto::Hello{peers_.self_record(seq), expects})});
}

/// The peer is connected, so the socket for hellos can be closed. The next need for hellos begins with the shortest
/// wait.
void Discovery::hang_up(const std::string& address, Target& target) {
    if (!std::exchange(target.is_dialed, false)) return;
    ctx_.emit(HangUp{address});
    target.wait = {};
    target.due = {};
}

void Discovery::tick(Seq seq) {
    add_targets();
    ask_namesake(seq);
    for (auto it = targets_.begin(); it != targets_.end();) {
        auto& [address, target] = *it;
        tick(address, target, seq);
        it = !target.is_seed && !needs_hello(target) ? targets_.erase(it) : std::next(it);
    }
}

void Discovery::tick(const std::string& address, Target& target, Seq seq) {
    const Timing& timing = ctx_.options.timing;
    const bool needed = needs_hello(target);
    const bool refused_lately = ctx_.now - target.name_refused_at < 2 * timing.redial_max;
    // An address that no longer answers does not refuse any more: the holder of the name is gone.
    if (!needed || !refused_lately) target.name_refused_since = kNever;
    if (!needed) {
        hang_up(address, target);
        if (is_seed_due_again(target)) dial(address, target, seq);
    } else if (ctx_.now >= target.due) {
        target.wait = std::clamp(2 * target.wait, timing.redial_min, timing.redial_max);
        target.due = ctx_.now + ctx_.random.jitter(target.wait);
        target.is_dialed = true;
        dial(address, target, seq);
    }
}

bool Discovery::has_met_anyone() const {
    bool all_self = true;
    for (const auto& [address, target] : targets_) {
        if (!target.is_seed) continue;
        if (!target.is_self && !target.name.empty()) return true;
        all_self = all_self && target.is_self;
    }
    return all_self;
}

}  // namespace muster::cluster
