// What an embedded Node tells of itself to those who look after it: a page, a console, a collector.
#pragma once

#include <muster/group.hpp>
#include <muster/types.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// One node as another one sees it, or itself.
struct NodeView {
    NodeInfo node;
    std::chrono::milliseconds state_age{};  // since it is believed in this state; 0 of the node itself
    std::chrono::milliseconds heard_age{};  // since its last sign of life, whichever way it came; 0 of the node itself
    std::string via;                        // who passes on what it publishes; empty: nobody has to
    bool shown = false;                     // lookups, watchers and notifications see its members
    std::uint64_t applied = 0;              // position of its log that this node has
    std::uint64_t known = 0;                // highest position heard of: beyond `applied`, something is on its way
    std::uint64_t groups = 0;               // in which it has members, shown or not
    std::uint64_t members = 0;
    std::uint64_t notices_sent = 0;      // notifications that went to it, since the link with this life stands
    std::uint64_t notices_received = 0;  // that came from it
    std::uint64_t waiting = 0;           // what is for it and not yet acknowledged

    bool operator==(const NodeView&) const = default;
};

/// Something that happened lately at this node or was heard of there. What is alike and close in time is one Change.
struct Change {
    enum class Kind : std::uint8_t {
        node_up = 1,
        node_suspect,
        node_heard,  // a suspected node after all
        node_down,
        node_left,
        self_accused,  // others believed this node down
        joined,        // members of `node`
        left,          // members of `node`, for `reason`
        table_taken,   // of `node`, as a whole
        table_wrong,   // of `node`: it differed from its digest, and is taken anew
        worker_up,     // so many workers as `members` says, of which `text` names the latest
        worker_resumed,
        worker_lost,
        worker_down,
        overflow,
    };
    std::uint64_t id = 0;       // grows with each new Change
    std::uint64_t version = 0;  // grows with each change of a Change, over all of them
    Kind kind = Kind::node_up;
    std::chrono::milliseconds age{};       // since it began
    std::chrono::milliseconds last_age{};  // since it last happened
    std::string node;
    std::string text;              // why, in words; may be empty
    Reason reason = Reason::left;  // of `left`
    std::uint64_t members = 0;     // how many joined or left
    std::vector<Group> groups;     // of these, the first kExamples
    bool more_groups = false;      // there were others

    static constexpr std::size_t kExamples = 3;

    bool operator==(const Change&) const = default;
};

std::string_view to_string(Change::Kind kind);

/// Part of a walk through all groups, in no order that means anything.
struct GroupsPart {
    std::vector<GroupInfo> groups;
    std::uint64_t next = 0;  // where the walk goes on; 0: this was the end
};

}  // namespace muster
