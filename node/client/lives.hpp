// Which calls of notifying workers have been accepted, so that a call that another node repeats is not handled twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "proto/accepted_calls.hpp"

namespace muster::client {

/// Pure. PROTOCOL.md, "Calls that outlive a node": for each group and each life of a notifying worker, the calls of
/// which a notification was accepted. It keeps the 4096 lives that were heard last. Groups are named by numbers that
/// the caller gives.
class Lives {
public:
    static constexpr std::size_t kMost = 4096;

    /// A notification has come.
    proto::Copy accept(std::uint64_t group, const proto::Notice& notice);
    /// The worker has no member of the group any more.
    void forget(std::uint64_t group);

    [[nodiscard]] std::size_t size() const { return lives_.size(); }

private:
    struct Life {
        std::uint64_t life = 0;
        std::unordered_map<std::uint64_t, proto::AcceptedCalls> calls;  // by group
    };

    Life& heard(std::uint64_t life);

    std::list<Life> recent_;  // the one that was heard last is the first
    std::unordered_map<std::uint64_t, std::list<Life>::iterator> lives_;
};

}  // namespace muster::client
