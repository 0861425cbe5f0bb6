// Joins with `visible`: answered only when every live node shows the members. PROTOCOL.md, "25 Ping", "26 Pong".
#pragma once

#include <map>
#include <set>
#include <string>

#include "cluster/base/caller.hpp"
#include "cluster/membership/peers.hpp"
#include "cluster/replication/replicas.hpp"

namespace muster::cluster {

/// Asks each live node how far it has applied this node's log, and answers the same question of others.
class Visibility {
public:
    Visibility(Context& context, Peers& peers, const Replicas& replicas)
        : ctx_(context), peers_(peers), replicas_(replicas) {}

    /// Answers `reply` when every node that is live now has applied this node's log up to its present position or is
    /// down, at the latest at `deadline`. `reply.unseen` then counts the nodes that had not.
    void wait(const Caller& caller, proto::JoinReply reply, Instant deadline, const SharedShare& share);

    /// A node asks how far its log has been applied here. The answer goes out when that is at least `seq`.
    void pinged(const NodeId& from, std::uint64_t nonce, Seq seq);
    void ponged(const std::string& from, const proto::Pong& pong);
    void on(const Transition& transition);
    /// This node has another incarnation. What others have applied of the one before does not count.
    void begin_life();
    void flush();
    [[nodiscard]] bool wants_flush() const;
    Answers take_answers() { return std::exchange(answers_, {}); }

private:
    struct Wait {
        Caller caller;
        proto::JoinReply reply;
        Seq seq;
        std::set<std::string> outstanding;  // names of nodes
        Instant deadline;
        Instant ask_at;  // the next Ping
        Drawn place;
    };
    /// A Pong that waits until the log is applied far enough.
    struct Owed {
        NodeId to;
        std::uint64_t nonce = 0;
        Seq seq;
    };
    void ask_all(Wait& wait) const;
    void finish_done();
    void pong(const Owed& owed);
    /// How far lookups here see a node's log: 0 while its table is hidden.
    [[nodiscard]] Seq shown(const std::string& node) const;

    Context& ctx_;
    Peers& peers_;
    const Replicas& replicas_;
    std::vector<Wait> waits_;
    std::map<std::string, Owed> owed_;  // by the name of the node that asks
    Answers answers_;
};

}  // namespace muster::cluster
