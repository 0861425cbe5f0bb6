// State of an embedded Node for operators: status pages, consoles, monitoring.
#pragma once

#include <muster/group.hpp>
#include <muster/types.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// A node as the asked node sees it; one entry is the asked node itself.
struct NodeView {
    NodeInfo node;
    std::chrono::milliseconds state_age{};  // time in this state; 0 for the node itself
    std::chrono::milliseconds heard_age{};  // since its last sign of life, direct or forwarded; 0 for the node itself
    std::string via;                        // node that forwards its publications; empty: received directly
    /// Channels between the asked node and this one that do not work, each with the address that fails.
    std::vector<std::string> silent_channels{};
    bool shown = false;         // lookups, watches and notifications see its members
    std::uint64_t applied = 0;  // position of its log that the asked node has applied
    std::uint64_t known = 0;    // highest known position of its log; above `applied`: deltas are missing
    std::uint64_t groups = 0;   // groups in which it has members, shown or not
    std::uint64_t members = 0;
    std::uint64_t notices_sent = 0;      // notifications sent over the link to this incarnation
    std::uint64_t notices_received = 0;  // notifications received from it
    std::uint64_t waiting = 0;           // items for it that are not acknowledged

    bool operator==(const NodeView&) const = default;
};

/// A recent event at this node, or one that it learned of. Similar events close in time are one Change.
struct Change {
    enum class Kind : std::uint8_t {
        node_up = 1,
        node_suspect,
        node_heard,  // a suspected node is heard again
        node_down,
        node_left,
        self_accused,  // others believed this node down
        joined,        // members of `node` joined
        left,          // members of `node` left, for `reason`
        table_taken,   // the whole table of `node` was received
        table_wrong,   // the table of `node` did not match its digest; it is requested again
        worker_up,     // `members` workers attached; `text` names the latest
        worker_resumed,
        worker_lost,
        worker_down,
        overflow,
    };
    std::uint64_t id = 0;       // rises with each new Change
    std::uint64_t version = 0;  // rises with each update of any Change
    Kind kind = Kind::node_up;
    std::chrono::milliseconds age{};       // since the first of its events
    std::chrono::milliseconds last_age{};  // since the last of its events
    std::string node;
    std::string text;              // explanation; may be empty
    Reason reason = Reason::left;  // for `left`; for `joined` it may be `moved`
    std::uint64_t members = 0;     // how many joined or left
    std::vector<Group> groups;     // the first kExamples of the affected groups
    bool more_groups = false;      // more groups were affected

    static constexpr std::size_t kExamples = 3;

    bool operator==(const Change&) const = default;
};

std::string_view to_string(Change::Kind kind);

/// Part of an iteration over all groups, in no particular order.
struct GroupsPart {
    std::vector<GroupInfo> groups;
    std::uint64_t next = 0;  // where to continue; 0: the end
};

/// Some members of a group.
struct MembersPart {
    std::vector<Member> members;
    std::uint64_t total = 0;  // members of the group
};

}  // namespace muster
