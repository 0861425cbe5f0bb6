// Joins that answer only when every live node has them.
#pragma once

#include <map>
#include <set>
#include <string>

#include "cluster/base/caller.hpp"
#include "cluster/membership/peers.hpp"
#include "cluster/replication/replicas.hpp"

namespace muster::cluster {

class Visibility {
public:
    Visibility(Context& context, Peers& peers, const Replicas& replicas)
        : ctx_(context), peers_(peers), replicas_(replicas) {}

    /// Answers `reply` when every node that is live now has this node's log up
    /// to its present position, or has died, or at `deadline` (counted in `unseen`).
    void wait(const Caller& caller, proto::JoinReply reply, Instant deadline);

    /// Someone asks how much of its log has been applied here; answered once it
    /// is all it had when asking.
    void pinged(const NodeId& from, std::uint64_t nonce, Seq seq);
    void ponged(const std::string& from, const proto::Pong& pong);
    void on(const Transition& transition);
    void flush();
    [[nodiscard]] bool wants_flush() const;
    Answers take_answers() { return std::exchange(answers_, {}); }

private:
    struct Wait {
        Caller caller;
        proto::JoinReply reply;
        Seq seq;
        std::set<std::string> outstanding;
        Instant deadline;
        Instant ask_at;
    };
    struct Owed {
        NodeId to;
        std::uint64_t nonce = 0;
        Seq seq;
    };
    void finish_done();
    void pong(const Owed& owed);
    /// How much of a node's log lookups here see: none while its table is hidden.
    [[nodiscard]] Seq shown(const std::string& node) const;

    Context& ctx_;
    Peers& peers_;
    const Replicas& replicas_;
    std::vector<Wait> waits_;
    std::map<std::string, Owed> owed_;  // by the asking node
    Answers answers_;
};

}  // namespace muster::cluster
