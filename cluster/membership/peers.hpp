// The other nodes: what this node believes of each, why, and how it reaches them.
// PROTOCOL.md, "What is known of a node" and "Relays"; README.md in this folder.
#pragma once

#include <muster/types.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/base/context.hpp"
#include "cluster/membership/namesakes.hpp"
#include "cluster/membership/tries.hpp"
#include "proto/limits.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// When a socket to a peer was opened last, and how long it may be silent before it is opened again.
struct SocketTimes {
    Instant at{};
    Duration wait{};
};

/// One other node, in the latest life that is known of it.
struct Peer {
    proto::PeerRecord record;  // its state is `suspect` if this node doubts an alive record
    Instant state_since{};     // of record.state

    // Signs of life.
    Instant heard_at{};                      // the latest, from the peer itself or through another node
    Instant heard_directly_at{};             // the latest message over a connection of the peer's own
    Instant arrived_at = kLongAgo;           // the latest of both, whatever was believed of the peer then
    std::string relay;                       // the node that forwards the peer's publications to this one, or empty
    Instant heard_through_relay = kLongAgo;  // the latest sign of life that came through `relay`

    // The channels. See channels.hpp.
    Instant heard_gossip_at{};      // the latest publication over the connection to its gossip port
    Instant heard_control_at{};     // the latest message that it sent to the control port of this node
    bool gossip_worked = false;     // in this life
    Instant watched_since{};        // both count from here when it came up
    Instant greeted_at = kLongAgo;  // its latest hello or welcome, which say nothing of the channels
    std::uint64_t told = 0;         // its latest report: proto::channel_report
    Instant told_at = kLongAgo;
    Instant unheard_since = kNever;  // it reports without a break since then that it hears nothing of this node
    Instant unconfirmed_since{};     // it is heard since then, and has not shown that it hears this node
    bool unreached = false;          // it hears nothing of this node, as far as is known, until it reports that it does
    std::uint64_t reported = proto::channel_report::kTold;  // the latest report to it
    Instant reported_at = kLongAgo;
    Instant lease_asked_at = kLongAgo;  // the latest Probe to itself
    bool takes_addressed = false;       // it takes PublishTo: an older minor does not
    bool can_replay = false;            // it has said that it answers ReplayRequest
    int beats_without_replay = 0;       // its heartbeats that did not say so
    bool cannot_replay = false;         // there were many: it is of an older minor
    std::uint64_t workers = 0;          // as its latest heartbeat says, and those that were sent there since
    bool draining = false;              // the same
    Instant began_at = kNever;          // its life began then or earlier: a heartbeat travels for a while
    bool proven = false;                // since it came up, something has arrived over a channel or through others
    bool came_up_in_vain = false;       // nothing arrived from it between its last two deaths
    std::uint64_t faults = 0;           // channels that are silent
    std::uint64_t noted_faults = 0;     // the same, as noted last

    // The connection to it.
    bool connected = false;    // the last action was ConnectPeer, not DisconnectPeer
    bool knows_us = false;     // it knows this life of this node: no more hellos
    bool has_moved = false;    // another node answers at its address: neither dialed nor connected in this life
    bool is_dormant = false;   // down for long: not connected, and dialed only in turn with others
    bool heard_there = false;  // an earlier life was heard at these addresses
    bool waits = true;         // neither dialed nor connected yet, because its addresses were tried in vain: see Tries
    std::string told_of_by;    // the node that told of this life, which nothing else has shown yet; empty: it was met
    SocketTimes control_opened;
    SocketTimes gossip_opened;
    bool reopened = false;  // connected again because it was silent, and still silent: messages there would be lost
    Instant renewed_at = kNever;  // since when it has new connections because it is suspect; kNever: not yet

    std::set<std::string> accusers;           // other nodes that suspect it too
    Instant link_lost_at = kLongAgo;          // until something of its own arrives, its process is checked
    Instant deaf_at = kLongAgo;               // the latest sign that messages of this node do not reach it
    Instant probed_at = kLongAgo;             // the latest Probe to other nodes about it
    Instant death_report_sent_at = kLongAgo;  // the latest report of its own death to it
    Instant records_sent_at = kLongAgo;       // the latest PeerNews to it because the membership digests differed
    int digests_differ = 0;                   // how many of its heartbeats in a row had another membership digest

    // With keys, of this life. See seal.hpp.
    std::uint64_t published_stamp = 0;  // the highest stamp of its publications
    std::uint64_t sent_stamp = 0;       // the highest stamp of messages that it sent to this node through others
    bool has_lost_key = false;          // its proof is by a key that is no longer trusted
    std::string sealed_heartbeat;       // its latest heartbeat, encoded: the proof for nodes that do not hear it

    [[nodiscard]] bool is_live() const {
        return record.state == NodeState::alive || record.state == NodeState::suspect;
    }
    /// Workers can attach to it, and it wants them.
    [[nodiscard]] bool takes_workers() const { return is_live() && !draining && !record.address.empty(); }
    [[nodiscard]] NodeInfo info() const { return {record.id, record.state, record.address, workers, draining}; }
    /// NAME@HOST:PORT. A worker may use it later, when another cluster has the address. The name tells which node must
    /// answer there, and with keys whose key.
    [[nodiscard]] std::string front_door() const {
        std::string named = record.id.name + "@" + record.address;
        return named.size() <= limits::kAddress ? named : record.address;
    }
    /// Something else than the word of one other node has shown that this life exists.
    [[nodiscard]] bool is_met() const { return told_of_by.empty(); }
};

/// A change of a peer's state that other parts of the core act upon, in the order in which they happened.
struct Transition {
    enum class Kind { up, down, left };
    Kind kind = Kind::up;
    NodeId id;
    Seq seq;  // of an `up`: the position of the peer's log, as far as it is known
};

/// How a sign of life reached this node.
struct SignOfLife {
    bool direct = true;  // over a connection of the peer's own
    std::string relay;   // the node that has shown to have a path from the peer, or empty
    Duration age{};      // since that node received it
};

class Peers {
public:
    explicit Peers(Context& context);

    [[nodiscard]] const Peer* find(const std::string& name) const;
    Peer* find(const std::string& name);
    /// The peer if it is live, in exactly this life; else null.
    Peer* find_live(const NodeId& id);
    /// The peer that has the fewest workers, among those that take workers; null if none does.
    Peer* with_fewest_workers();
    [[nodiscard]] const std::map<std::string, Peer>& all() const { return peers_; }
    std::map<std::string, Peer>& all() { return peers_; }

    // ---- What this node believes ----

    /// This node's own record, with `seq` as the position of its log.
    [[nodiscard]] proto::PeerRecord self_record(Seq seq) const;
    /// The position that records of this node tell when it refutes.
    void set_seq(Seq seq) { seq_ = seq; }

    /// Other lives of this node's name.
    Namesakes& namesakes() { return namesakes_; }
    /// This node has a new incarnation: no peer knows it yet.
    void begin_life();
    /// Takes in a record that `reporter` sent, which may be the record's subject. A record about this node is refuted
    /// if it says `suspect` or `down`.
    void merge(const proto::PeerRecord& news, const std::string& reporter);
    /// No clock can have begun this life, however wrong it may be. Lives are microseconds since 1970.
    [[nodiscard]] bool is_beyond_clocks(const NodeId& life) const;
    /// With keys: whether another proof that this node has sent may be checked before the next tick. Counts it.
    bool may_check(const std::string& reporter);
    /// Forgets lives whose proof is by a key that is no longer trusted, some of them in each call. Returns whether keys
    /// were removed since the last call. Must be called once a tick.
    bool check_proofs();
    /// Takes in a sign of life of exactly this life. If the peer is believed down and `refutation` does not refute
    /// that, sends it the report of its death, so that it refutes.
    void confirm_alive(const NodeId& id, std::uint64_t refutation, const SignOfLife& sign);
    /// Takes in a record from a hello or welcome of `reporter`. It came over a front door, so it does not show that a
    /// channel works: a peer that came up like that in vain stays down until something arrives over a channel.
    void greet(const proto::PeerRecord& record, const std::string& reporter);
    /// Connects to the peers that had to wait for it. To be called once a tick.
    void connect_waiting();
    /// The peer is heard at its gossip address for the first time in this life.
    void worked_there(const Peer& peer);
    /// The peer reports what it hears of this node: proto::channel_report.
    void take_report(Peer& peer, std::uint64_t told) const;
    /// What this node hears of the peer: proto::channel_report.
    [[nodiscard]] std::uint64_t report_for(const Peer& peer) const;
    /// The peer's latest report; proto::channel_report::kTold if it is too old.
    [[nodiscard]] std::uint64_t told_by(const Peer& peer) const;
    /// The peer reports over a channel, or through others, that it hears this node.
    void mark_reached(Peer& peer) const;
    /// What the peer has sent shows that it heard this node lately. That is no report: see Peer::unreached.
    void mark_heard_by(const std::string& name);
    /// Counts a peer as not reached if it is heard for longer than `patience` without a sign that it hears this node.
    void check_reached(Peer& peer, Duration patience) const;
    /// Why the peer is unreached, for people.
    [[nodiscard]] const char* why_unreached(const Peer& peer) const;
    /// This node is sure that this life of the peer has ended. `why` is for people.
    void declare(const NodeId& id, NodeState down_or_left, const std::string& why);
    void suspect(Peer& peer);
    /// Removes peers that have been down or left for Timing::forget_after, and disconnects those that are down for
    /// long, so that dead names cost no descriptors.
    void forget_old();
    /// Removes this life if it is down or has left. Returns whether it was.
    bool forget(const NodeId& id);
    /// An operator wants a node that is down or has left to be forgotten. Errors: bad_request.
    Result<NodeId> forget(const std::string& name);
    /// Another node answers at the address of this peer.
    void mark_moved(const std::string& name);
    /// Heard within Timing::suspect_after, from itself or through another node, and not Peer::unreached.
    [[nodiscard]] bool is_hearing(const Peer& peer) const;
    /// Heard, and its link was not lost since: its process runs, and another one with its name is not its next life.
    [[nodiscard]] bool is_serving(const Peer& peer) const;
    /// Its own messages reached this node within Timing::suspect_after, whatever is believed of it.
    [[nodiscard]] bool is_hearing_directly(const Peer& peer) const;

    /// How a bound is exceeded, if one is.
    [[nodiscard]] std::optional<std::string> over_bounds() const;

    /// The transitions since the last call.
    std::vector<Transition> take_transitions();
    /// The records that changed since the last call, to be published.
    std::vector<proto::PeerRecord> take_news();
    [[nodiscard]] bool has_news() const { return !news_.empty(); }
    /// The records for a peer whose membership digest differs (`all`), or for a newcomer (live peers only).
    [[nodiscard]] std::vector<proto::PeerRecord> records(bool all) const;
    /// The digest of the live nodes, this one included: equal beliefs give equal digests. PROTOCOL.md, "Snapshots".
    [[nodiscard]] std::uint64_t digest() const;

    // ---- How to reach a peer ----

    struct Which {
        bool gossip = true;
        bool control = true;
    };
    void connect(Peer& peer, Which which);
    void connect(Peer& peer) { connect(peer, {}); }
    void disconnect(Peer& peer);
    /// The live peer that this node is connected to at the gossip address of `peer`, and hears there. Null: none.
    [[nodiscard]] const Peer* other_at_gossip_of(const Peer& peer) const;
    /// The peer knows this life of this node: no more hellos to it.
    void mark_knows_us(const NodeId& id);
    /// A connection from or to the peer has come up, so it can be reached. Opens this node's own link again if it is
    /// silent, instead of waiting until ZeroMQ's backoff ends.
    void reopen_if_silent(const NodeId& id);
    /// The peer has become suspect. A firewall that has lost its state drops what comes over the connections that it
    /// knew, and lets new ones pass. So the silent ones are opened again while the suspicion can still be cleared.
    void reopen_suspect(Peer& peer);
    /// The peer had to send through another node to reach this one, so it does not hear this node.
    void mark_deaf(const std::string& name);
    /// This node's messages do not reach the peer, although the peer's reach this node.
    [[nodiscard]] bool is_deaf(const Peer& peer) const;

    /// Whether this node's messages reach the peer over this channel, as far as the peer has told.
    [[nodiscard]] bool is_reached(const Peer& peer, Channel channel) const;
    /// Sends over a connection between the two: over control, or over gossip if the peer hears only that.
    void send_directly(const Peer& peer, proto::Message message);
    void publish_to(const Peer& peer, proto::Message message);
    /// To be called when a life speaks that is not the latest one known here, as after a clock was set back. If the
    /// later life is over, tells the earlier one of it, so that it takes a higher incarnation. Its own hello does so,
    /// too, if it can reach a front door.
    void tell_of_later_life(const NodeId& earlier);
    /// If the peer is believed down: reports that to it, because it lives.
    void report_death_to(const NodeId& id);

    /// Sends to the peer over its own link or through a relay, whichever is believed to work. With `detour`, through
    /// any other node: for what the direct link has not achieved.
    void send(const std::string& name, proto::Body body, std::uint64_t seq = 0, bool detour = false);
    /// The peer's relay, if this node hears the relay itself; else null.
    [[nodiscard]] const Peer* relay_of(const Peer& peer) const;
    /// The node to which a message for `to` goes next: `to` itself, its relay, or any other. Only nodes that hear this
    /// one and that it hears; never `avoid`. If `avoid` is `to` (a detour), the relay is not preferred. Null: none.
    [[nodiscard]] const Peer* next_hop(const Peer& to, const std::string& avoid);
    /// At most `count` live peers that this node hears directly, without `except`, drawn at random.
    std::vector<std::string> draw_peers(const std::string& except, std::size_t count);

private:
    /// With keys: what `reporter` may tell of the record's subject, or nothing if only the subject is believed.
    [[nodiscard]] std::optional<proto::PeerRecord> believable(proto::PeerRecord news, const std::string& reporter);
    bool forget_without_key(const NodeId& id);
    void renew_proof(const proto::PeerRecord& news, const std::string& reporter);
    void merge_believed(const proto::PeerRecord& news, const std::string& reporter);
    void merge_self(const proto::PeerRecord& news);
    void merge_suspicion(Peer& peer, const proto::PeerRecord& news, const std::string& reporter) const;
    void add(const proto::PeerRecord& news, const std::string& reporter);
    /// Whether `reporter` may tell of a life that this node does not know. `known`: the peer of its name; may be null.
    [[nodiscard]] bool may_tell_of(const proto::PeerRecord& news, const std::string& reporter, const Peer* known);
    void set_told_of_by(Peer& peer, const std::string& reporter);
    /// Whether another peer may be added. Forgets the peer that is gone for longest if there are Bounds::peers.
    bool make_room();
    void refuse(const proto::PeerRecord& news);
    void let_sleep();
    /// Replaces the peer's record by one that overrides it. `why` is for people.
    void apply(Peer& peer, const proto::PeerRecord& news, const std::string& why);
    void replace_record(Peer& peer, const proto::PeerRecord& news);
    void came_up(Peer& peer, bool new_life, bool was_live, const std::string& why);
    void went_away(Peer& peer, bool was_live, const std::string& why);
    void watch_channels(Peer& peer) const;
    void set_state(Peer& peer, NodeState state) const;
    void send_death_report(Peer& peer, const proto::PeerRecord& report);
    void choose_relay(Peer& peer, const SignOfLife& sign);
    /// A life that was down or suspect becomes alive again, although nothing of this node reaches the peer.
    [[nodiscard]] bool revives_in_vain(const Peer& peer, const proto::PeerRecord& news) const;
    /// Without the addresses of `peer` that belong to other nodes.
    [[nodiscard]] Which without_addresses_of_others(const Peer& peer, Which which);
    [[nodiscard]] bool is_heard_at_its_gossip(const Peer& peer) const;
    /// Opens those connections to the peer again that are silent. Returns which.
    Which reopen_silent(Peer& peer);
    void release_gossip(const Peer& peer);
    /// Connects to a new life, or lets it wait until its addresses may be tried again.
    void connect_new_life(Peer& peer);
    [[nodiscard]] bool may_connect(const Peer& peer) const;
    void try_addresses(Peer& peer);
    /// Connected too recently to connect again.
    [[nodiscard]] bool is_just_connected(const Peer& peer) const;

    Context& ctx_;
    Namesakes namesakes_;
    Seq seq_;
    std::uint64_t refutation_ = 0;  // how often this node denied its death in this life
    std::map<std::string, Peer> peers_;
    std::map<std::string, proto::PeerRecord> news_;
    std::map<std::string, std::string> at_gossip_;  // by gossip address: the peer that was connected there last
    std::map<std::string, std::size_t> unmet_;      // by reporter: the lives that it alone has told of
    Tries tries_;                                   // of new lives, by name and by address; none has the form of both
    Instant refusal_noted_at_ = kLongAgo;
    // With keys:
    std::map<std::string, std::size_t> checked_;  // by reporter: the proofs that were checked since the last tick
    std::uint64_t removals_ = 0;                  // of the notary, at the last check
    Instant proofs_due_ = kNever;                 // the next check of some proofs
    std::string last_checked_;                    // the peer whose proof was checked last; empty: none in this pass
    bool found_unproven_ = false;                 // in this pass, a peer that is to prove its life again
    std::vector<Transition> transitions_;
};

}  // namespace muster::cluster
