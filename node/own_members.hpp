// Which members the handlers of this process have, in the order they joined.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cluster/event.hpp"
#include "proto/messages.hpp"

namespace muster::node {

/// The core knows an owner per handler; a caller's `leave` means all handlers
/// of the process. This finds out whose members such a call takes. Thread-safe.
class OwnMembers {
public:
    /// Members of one handler that are to leave.
    struct Taken {
        cluster::HandlerId handler;
        std::vector<MemberNumber> members;
        bool last = false;  // the handler has none left
    };

    void add(const Group& group, cluster::HandlerId handler, const std::vector<proto::NumberRun>& runs);
    /// Takes out the `count` latest of the group, by handler; fewer when there are fewer.
    std::vector<Taken> take_latest(const Group& group, std::uint64_t count);
    /// Takes out those of `members` that are in the group, by handler.
    std::vector<Taken> take(const Group& group, const std::vector<MemberNumber>& members);

private:
    using ByNumber = std::map<MemberNumber, cluster::HandlerId>;  // numbers rise with every join

    using ByHandler = std::map<cluster::HandlerId, std::vector<MemberNumber>>;

    std::vector<Taken> finish(ByHandler taken, std::map<Group, ByNumber>::iterator group);

    std::mutex mutex_;
    std::map<Group, ByNumber> groups_;
    std::unordered_map<cluster::HandlerId, std::uint64_t> held_;  // members a handler still has
};

}  // namespace muster::node
