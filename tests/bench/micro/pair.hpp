// Two cores that step each other, without sockets or encoding: what the logic alone costs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/core.hpp"

namespace muster::bench {

/// Two nodes that know each other. Messages arrive at once, in order; time is virtual.
class Pair {
public:
    enum Side : std::size_t { a = 0, b = 1 };

    /// Returns when both are ready and see each other alive; aborts when they do not.
    Pair();

    cluster::Core& core(Side side) { return cores_[side]; }
    /// Steps one event; what it asks for waits for `pump`.
    void step(Side side, cluster::EventBody body);
    /// A millisecond passes, and all messages and due deadlines are stepped until both rest.
    void pump();

    /// `count` members of `group`, of one handler.
    void join(Side side, const Group& group, cluster::HandlerId handler, std::uint64_t count = 1);

    /// Members for whom there was a Deliver action so far, at both.
    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

private:
    struct Letter {
        Side to;
        cluster::MessageArrived message;
    };
    void perform(Side side, cluster::Action& action);
    static Side other(Side side) { return side == a ? b : a; }

    std::vector<cluster::Core> cores_;
    std::array<bool, 2> connected_{};
    std::vector<Letter> letters_;
    cluster::Actions actions_;
    cluster::Instant now_ = cluster::Instant{} + std::chrono::seconds(100);
    std::uint64_t delivered_ = 0;
};

}  // namespace muster::bench
