// Other lives of this node's own name: earlier processes whose clock was ahead, and processes that run at the same
// time (a cloned host, the other side of a split).
#pragma once

#include <optional>
#include <string>

#include "cluster/base/context.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Decides what this node does about a later life of its own name, which all others believe in rather than in this one
/// (precedence.hpp). A life that has ended, or that has this node's own address, loses: this node takes a higher
/// incarnation. So a process that serves goes on, whatever is said about its name. A life that is said to run at
/// another address is asked there: if it answers, two processes have one name, and this one ends, because it is the
/// older. README.md in this folder has the reasons.
class Namesakes {
public:
    explicit Namesakes(Context& context) : ctx_(context) {}

    /// Takes in what others believe of a life of this node's name, in any order. Earlier lives are ignored.
    void heard_of(const proto::PeerRecord& record);
    /// The address at which a later life is to be asked whether it lives; empty if there is none.
    [[nodiscard]] std::string address_to_ask() const;
    /// `origin` has answered a hello at `address`. Emits Stop if it is the later life itself.
    void answered(const NodeId& origin, const std::string& address);
    /// The incarnation that this node must take now, or nothing. A node that is ready takes at most one each second.
    std::optional<Incarnation> take_higher();

private:
    [[nodiscard]] bool runs_elsewhere(const proto::PeerRecord& life) const;

    Context& ctx_;
    std::optional<proto::PeerRecord> later_;  // the latest life that was heard of
    Instant since_{};                         // when it was first heard of
    Instant taken_at_ = kLongAgo;
};

}  // namespace muster::cluster
