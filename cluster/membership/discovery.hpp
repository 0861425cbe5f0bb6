// How nodes find each other: hellos to seeds for as long as it takes, to nodes that other nodes know, and to
// nodes that are down, in case they return. PROTOCOL.md, "Hellos".
#pragma once

#include <map>
#include <string>

#include "cluster/membership/peers.hpp"

namespace muster::cluster {

class Discovery {
public:
    Discovery(Context& context, Peers& peers);

    /// Answers a node's hello at the front door with Welcome or Refuse. `seq` is the position of this node's log.
    /// Returns whether the node was welcomed.
    bool hello(const proto::Message& message, const Sender& sender, ConnectionId connection, Seq seq);
    /// Takes in the answer to a hello of this node. Returns whether it welcomes this life of this node.
    bool welcome(const proto::Message& message, const std::string& address);
    /// Takes in a refusal of a hello of this node. Ends the node if its name stays taken for
    /// Timing::name_conflict_wait before it has been ready.
    void refused(const proto::Message& message, const std::string& address);
    /// Sends the hellos that are due.
    void tick(Seq seq);

    /// A seed has answered, or there is none other than this node itself.
    [[nodiscard]] bool has_met_anyone() const;
    /// Another node refuses this node's name, and may be down itself soon: this node waits.
    [[nodiscard]] bool is_refused() const;

private:
    /// An address that hellos go to.
    struct Target {
        bool is_seed = false;
        bool is_self = false;    // this node itself answers there
        std::string name;        // the node that answered there, or is said to be there; empty: unknown
        std::string said_at;     // this address, if the node is only said to be there
        bool is_dialed = false;  // Dial was the last action for this address, not HangUp
        Instant due{};           // of the next hello
        Duration wait{};         // between hellos
        Instant dialed_at = kLongAgo;
        Instant turn_ends = kLongAgo;  // hellos go to a node that is down for long until then
        Instant noted_at = kLongAgo;
        Instant name_refused_since = kNever;  // without a break
        Instant name_refused_at = kLongAgo;
    };

    /// False if there is no room for the caller.
    bool send_welcome(const proto::PeerRecord& caller, ConnectionId connection, Seq seq);
    bool is_somebody_else(const proto::Header& from, const Target& target);
    bool refuse(ConnectionId connection, ErrorCode code, const std::string& text);
    /// Why the sender's key does not entitle it to this record. Empty if it does, and without keys.
    [[nodiscard]] std::string why_not_believed(const proto::PeerRecord& caller, const Sender& sender);
    /// Whether the welcome has a proof that an earlier life of this node had the incarnation `welcome.known`.
    bool is_known_proven(const proto::Welcome& welcome);
    /// The node that has the newcomer's name: it is heard, or believed live at another address. Null: nobody.
    [[nodiscard]] const Peer* holder_of_name(const proto::PeerRecord& newcomer) const;
    /// Adds a note for operators, at most every 30 seconds for each target.
    void note(Target& target, Note::Kind kind, const std::string& node, const std::string& text);
    [[nodiscard]] bool needs_hello(const Target& target) const;
    [[nodiscard]] bool is_seed_due_again(const Target& target) const;
    void tick(const std::string& address, Target& target, Seq seq);
    void dial(const std::string& address, Target& target, Seq seq);
    void hang_up(const std::string& address, Target& target);
    void add_targets();
    /// The address of this peer, where hellos are to go.
    Target& target_of(const Peer& peer);
    void begin_turn();
    void ask_namesake(Seq seq);

    Context& ctx_;
    Peers& peers_;
    std::map<std::string, Target> targets_;  // by address
    Instant namesake_asked_at_ = kLongAgo;
    std::string namesake_address_;  // that was dialed last
    Instant next_turn_{};
    std::string last_turn_;  // the node whose turn was last
};

}  // namespace muster::cluster
