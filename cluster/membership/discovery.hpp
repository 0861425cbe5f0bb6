// Finding nodes and being found: hellos to seeds for as long as it takes, to
// nodes heard of from others, and to nodes that are down, in case they return.
#pragma once

#include <map>
#include <string>

#include "cluster/membership/peers.hpp"

namespace muster::cluster {

class Discovery {
public:
    Discovery(Context& context, Peers& peers);

    /// Someone's hello at the door. False when it was refused.
    bool hello(const proto::Message& message, const Sender& sender, ConnectionId connection, Seq seq);
    /// The answer to a hello of ours. True when this node has to take a higher
    /// incarnation, which is then `adopt`.
    bool welcome(const proto::Message& message, const std::string& address, Incarnation& adopt);
    void refused(const proto::Refuse& refusal, const std::string& address);
    void tick(Seq seq);

    /// A seed has answered, or there is none but this node itself.
    [[nodiscard]] bool has_met_anyone() const;
    /// A node that this one still has to meet refuses its name.
    [[nodiscard]] bool is_refused() const;

private:
    struct Target {
        bool seed = false;
        bool self = false;  // the address is this node's own
        std::string name;   // who answered there; empty: nobody yet
        bool open = false;  // a hello is under way
        Instant due{};
        Duration wait{};
        Instant dialed = kLongAgo;
        Instant complained_at = kLongAgo;
        Instant refused_since = kNever;  // our name, without a break
        Instant refused_at = kLongAgo;
    };

    void answer_hello(const proto::PeerRecord& caller, ConnectionId connection, Seq seq);
    bool refuse(ConnectionId connection, ErrorCode code, const std::string& text);
    [[nodiscard]] std::string why_not_believed(const proto::PeerRecord& caller, const Sender& sender) const;
    /// Whether an earlier life of this node has proven to have had the incarnation that the welcome tells.
    bool is_known_proven(const proto::Welcome& welcome);
    /// Whether another node of this name, at another address, is believed alive.
    [[nodiscard]] const Peer* holder_of(const proto::PeerRecord& newcomer) const;
    void complain(Target& target, Note::Kind kind, const std::string& who, const std::string& text);
    [[nodiscard]] bool is_wanted(const Target& target) const;
    /// Whether it is time to see who else is behind a seed.
    [[nodiscard]] bool is_to_be_seen_again(const Target& target) const;
    void dial(const std::string& address, Target& target, Seq seq);
    void add_targets();

    Context& ctx_;
    Peers& peers_;
    std::map<std::string, Target> targets_;  // by address
};

}  // namespace muster::cluster
