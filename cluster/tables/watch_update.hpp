// What watchers are told, as runs of members that share their owners. A million members with one owner take as much
// memory as one. Members are made of it only when it is sent.
#pragma once

#include <muster/types.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cluster/tables/member_list.hpp"
#include "cluster/tables/owner_table.hpp"

namespace muster::cluster {

/// Members of one group at one moment.
class GroupRuns {
public:
    struct Members {
        MemberNumber first;
        std::uint32_t count = 0;
        std::uint32_t node = 0;  // an index into `nodes`
        std::shared_ptr<const MemberOwner> owner;
    };

    explicit GroupRuns(Group group) : group_(std::move(group)) {}

    /// Members of `node`. The runs of one node must follow each other.
    void add(const NodeId& node, const Run& run, const OwnerTable& owners);

    [[nodiscard]] const Group& group() const { return group_; }
    [[nodiscard]] const std::vector<Members>& runs() const { return runs_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// In memory.
    [[nodiscard]] std::size_t bytes() const;
    /// Of one member of the run, on the wire.
    [[nodiscard]] std::size_t wire_size_in(const Members& run) const;
    /// Those with numbers below `number`. All must be of one node.
    [[nodiscard]] GroupRuns below(MemberNumber number) const;
    /// The node of the first run. There must be one.
    [[nodiscard]] const NodeId& node() const { return nodes_.front(); }
    /// Appends the members `from` to `to`, without `to`, of a run.
    void append(const Members& run, std::uint32_t from, std::uint32_t to, std::vector<Member>& members) const;

private:
    Group group_;
    std::vector<NodeId> nodes_;
    std::vector<Members> runs_;
    std::uint64_t size_ = 0;
};

/// An event for watchers. It does not change once it is shared.
struct WatchUpdate {
    /// A place in the update: before member `done` of a run of a group.
    struct Place {
        std::size_t group = 0;
        std::size_t run = 0;
        std::uint32_t done = 0;
        auto operator<=>(const Place&) const = default;
    };

    WatchEvent::Kind kind = WatchEvent::Kind::snapshot;
    Reason reason = Reason::left;   // of a leave; or `moved`
    std::vector<GroupRuns> groups;  // a join or leave has exactly one

    [[nodiscard]] Place end() const { return {groups.size(), 0, 0}; }
    /// In memory.
    [[nodiscard]] std::size_t bytes() const;
    /// Where a part ends that begins at `from` and has about `most` bytes on the wire. Takes one step for each run.
    /// Adds the part's bytes to `size`.
    [[nodiscard]] Place cut(Place from, std::size_t most, std::size_t& size) const;
    /// The part from `from` to `to`. A group that is cut is named in both parts.
    [[nodiscard]] WatchEvent part(Place from, Place to) const;
    [[nodiscard]] WatchEvent whole() const { return part({}, end()); }
};

}  // namespace muster::cluster
