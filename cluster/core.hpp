// The core: what one node knows and decides. It has no socket, clock, thread or log; see README.md in this folder.
#pragma once

#include <muster/insight.hpp>
#include <muster/types.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/action.hpp"
#include "cluster/durations.hpp"
#include "cluster/event.hpp"
#include "cluster/options.hpp"

namespace muster::cluster {

/// One node of a cluster, as a deterministic state machine: two cores with the same options and events append the same
/// actions, byte for byte.
///
/// Not thread-safe: the caller serialises all calls, including the const ones.
class Core {
public:
    explicit Core(Options options);
    ~Core();
    Core(Core&&) noexcept;
    Core& operator=(Core&&) noexcept;

    /// Takes in one event and appends the actions that the shell must perform. `event.now` must never go back. The
    /// first step also starts discovery.
    void step(Event event, Actions& actions);

    /// Same as step() with a LocalJoin whose `visible` is false, but returns the result instead of appending an
    /// Answer, and ignores `join.call`. Must not be called after a Shutdown.
    ///
    /// This second entry exists for speed only. Joins and leaves of an embedded node run on the caller's thread under
    /// the node's lock. As events they take about 15 % more instructions, because the event, the Answer and the reply's
    /// list are built only to be taken apart by the same caller. The simulator proves that both entries are equal:
    /// random runs have the same transcript with either (tests/sim/sim_test.cpp,
    /// direct_calls_do_exactly_what_their_events_do).
    Result<proto::NumberRun> join(Instant now, const LocalJoin& join, Actions& actions);
    /// Same as step() with a LocalLeave; see join().
    Result<std::vector<MemberNumber>> leave(Instant now, const LocalLeave& leave, Actions& actions);

    /// The time by which the shell must step a Tick. It moves with every step. kNever after a Shutdown.
    [[nodiscard]] Instant next_deadline() const;

    [[nodiscard]] const NodeId& self() const;
    /// Whether the node has synced with every peer that it could reach, or no seed answered in time.
    [[nodiscard]] bool is_ready() const;

    /// The members of a group, by node name, then number; with `local`, only those of this node.
    [[nodiscard]] std::vector<Member> members(const Group& group, bool local) const;
    /// The groups that have members, by store, then feature.
    [[nodiscard]] std::vector<GroupInfo> groups() const;
    /// This node and every node that it has not forgotten (Timing::forget_after), by name.
    [[nodiscard]] std::vector<NodeInfo> nodes() const;
    /// Takes one step per node, and none per group, member or worker.
    [[nodiscard]] Status status() const;
    [[nodiscard]] const Durations& durations() const;
    /// The counters of status() that can be read in constant time.
    [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;

    /// What is known of this node and of every node that it has not forgotten, by name. In time linear in the nodes.
    [[nodiscard]] std::vector<NodeView> views(Instant now) const;
    /// One part of a walk through all groups, which looks at no more than `most` places. `from` is 0 for the first
    /// part, then the `next` of the part before. A group that has members during the whole walk appears exactly once;
    /// others may appear.
    [[nodiscard]] GroupsPart groups_part(std::uint64_t from, std::uint64_t most) const;
    /// `most` of the group's members, in the order of members(), after the first `from`. Takes one step per run of
    /// members before those.
    [[nodiscard]] MembersPart members_part(const Group& group, std::uint64_t from, std::uint64_t most) const;
    /// The journal's entries after `version`, oldest first. Empty without Bounds::journal.
    [[nodiscard]] std::vector<Change> changes(std::uint64_t version, Instant now) const;

    /// The position of the log that this node has applied for another one's current life; 0 if unknown. For tests.
    [[nodiscard]] Seq applied(const std::string& node) const;
    /// Whether changes of tables or answers wait for another turn: a node that has died, or the members of a session
    /// that has ended, may be shown in part. For simulations.
    [[nodiscard]] bool is_busy() const;
    /// Asserts all internal invariants. For tests and simulations: takes time linear in all tables.
    void check() const;
    /// After a Drain: whether a Shutdown costs no worker anything. That is so when all workers that know how have gone
    /// to other nodes, and these nodes have what they asked for; and at once if no other node is there to go to.
    [[nodiscard]] bool is_drained() const;
    /// Names a buffer that exceeds its bound, if there is one. For simulations.
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster::cluster
