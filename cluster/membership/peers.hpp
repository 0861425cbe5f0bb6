// The other nodes: what is believed of each, why, and by which way it is reached.
// PROTOCOL.md, "Membership".
#pragma once

#include <muster/types.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/base/context.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

struct Peer {
    proto::PeerRecord record;  // `suspect` is this node's own doubt about an alive record
    Instant since{};           // of record.state

    Instant heard{};               // last sign of life, direct or through another node
    Instant heard_direct{};        // last message of its own to this node
    std::string via;               // who passes on what it publishes; empty: nobody yet
    Instant heard_via = kLongAgo;  // the last sign of life that came through that one

    bool connected = false;  // a ConnectPeer stands
    bool greeted = false;    // it knows of this life of ours: it answered, greeted or subscribed
    Instant connected_at{};
    bool reopened = false;  // for want of a sign of life: what is sent there would wait in vain
    Duration reconnect_wait{};

    std::set<std::string> accusers;   // other nodes that doubt it too
    Instant link_lost_at = kLongAgo;  // and nothing of its own has come since: it is being checked
    Instant deaf_at = kLongAgo;       // last sign that our own messages do not reach it
    Instant asked_at = kLongAgo;      // last Probe to others about it
    Instant told_at = kLongAgo;       // last time it was told of its own death
    Instant news_at = kLongAgo;       // last PeerNews sent to it because digests differed
    int digests_differ = 0;           // heartbeats in a row whose membership digest is not ours

    // Of this life, where there are keys: see seal.hpp.
    std::uint64_t published_stamp = 0;  // newest of what it published
    std::uint64_t sent_stamp = 0;       // newest of what it sent to this node through others
    std::string beat;                   // its newest heartbeat, sealed and encoded

    [[nodiscard]] bool is_live() const {
        return record.state == NodeState::alive || record.state == NodeState::suspect;
    }
};

/// A change that other parts of the core act upon, in the order in which they happened.
struct Transition {
    enum class Kind { up, down, left };
    Kind kind = Kind::up;
    NodeId id;
    Seq seq;  // of an up: its log, as far as is known
};

/// How a sign of life came.
struct Evidence {
    bool direct = true;
    std::string via;  // who is known by it to have a way to the peer; empty: nobody
    Duration age{};   // since the relay heard it
};

class Peers {
public:
    explicit Peers(Context& context) : ctx_(context) {}

    [[nodiscard]] const Peer* find(const std::string& name) const;
    Peer* find(const std::string& name);
    /// The peer, if this very life of it is live.
    Peer* find_live(const NodeId& id);
    [[nodiscard]] const std::map<std::string, Peer>& all() const { return peers_; }
    std::map<std::string, Peer>& all() { return peers_; }

    /// This node's own record, with the log position `seq`.
    [[nodiscard]] proto::PeerRecord self_record(Seq seq) const;
    void set_seq(Seq seq) { seq_ = seq; }

    /// News told by `reporter` (perhaps the subject itself).
    void merge(const proto::PeerRecord& news, const std::string& reporter);
    /// A sign of life of exactly this life. Answers a node that was believed
    /// dead with its own obituary, so that it can refute.
    void confirm_alive(const NodeId& id, std::uint64_t refutation, const Evidence& evidence);
    /// This node is sure that this life of the peer is gone; `why` in words.
    void declare(const NodeId& id, NodeState down_or_left, const std::string& why);
    void suspect(Peer& peer);
    /// The peer knows of us: no more hellos for now.
    void greeted(const NodeId& id);
    /// A connection of the peer's, or a new one to it, has come through: a link
    /// of ours that is silent is opened anew now, not when its backoff ends.
    void way_is_open(const NodeId& id);
    /// The peer had to go through others to reach us: it does not hear us.
    void found_deaf(const std::string& name);
    void forget_old();

    /// To a peer on the best way: its own link, or a relay that hears it.
    /// `detour`: through any other node, for what the direct way has not achieved.
    void send(const std::string& name, proto::Body body, std::uint64_t seq = 0, bool detour = false);
    /// Our own messages do not reach it, although its reach us.
    [[nodiscard]] bool is_deaf(const Peer& peer) const;
    /// The peer that passes on what it publishes, if that one is heard itself.
    [[nodiscard]] const Peer* relay_of(const Peer& peer) const;
    /// Where what is for `to` goes next: itself, its relay, or any other, of those that
    /// hear this node; never `avoid`, and no relay in particular when that is `to`.
    [[nodiscard]] const Peer* next_hop(const Peer& to, const std::string& avoid);
    /// Peers through which news of `name` may be had, at most `count`, chosen at random.
    std::vector<std::string> others(const std::string& name, std::size_t count);

    void connect(Peer& peer);
    void disconnect(Peer& peer);

    /// A sum over (name, incarnation) of the live nodes, this one included: equal views, equal digests.
    [[nodiscard]] std::uint64_t digest() const;
    /// Records for a peer whose digest differs (`all`), or for a newcomer (the live ones).
    [[nodiscard]] std::vector<proto::PeerRecord> records(bool all) const;

    /// News gathered since the last call, to be published; empty when there is none.
    std::vector<proto::PeerRecord> take_news();
    [[nodiscard]] bool has_news() const { return !news_.empty(); }
    std::vector<Transition> take_transitions();

    [[nodiscard]] bool is_hearing(const Peer& peer) const;
    /// Its own messages reach this node, whatever is believed of it.
    [[nodiscard]] bool is_hearing_directly(const Peer& peer) const;

private:
    /// What of the news another may say, where there are keys; nothing when it is to be believed by the subject alone.
    [[nodiscard]] std::optional<proto::PeerRecord> believable(proto::PeerRecord news,
                                                              const std::string& reporter) const;
    void merge_believed(const proto::PeerRecord& news, const std::string& reporter);
    void merge_self(const proto::PeerRecord& news);
    void merge_doubt(Peer& peer, const proto::PeerRecord& news, const std::string& reporter) const;
    void add(const proto::PeerRecord& news);
    /// Its sockets are too fresh to be opened again.
    [[nodiscard]] bool is_just_opened(const Peer& peer) const;
    void hear_through(Peer& peer, const Evidence& evidence);
    void apply(Peer& peer, const proto::PeerRecord& news, const std::string& why);
    void set_state(Peer& peer, NodeState state) const;
    void tell_obituary(Peer& peer, const proto::PeerRecord& obituary);

    Context& ctx_;
    Seq seq_;
    std::uint64_t refutation_ = 0;
    std::map<std::string, Peer> peers_;
    std::map<std::string, proto::PeerRecord> news_;
    std::vector<Transition> transitions_;
};

}  // namespace muster::cluster
