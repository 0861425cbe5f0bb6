// What one node knows and decides. Pure: no socket, clock, thread or log.
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

/// One node of a cluster. Two cores that are given the same options and events
/// append the same actions, byte for byte.
///
/// Threads: none; the caller serialises all calls, the const ones included.
class Core {
public:
    explicit Core(Options options);
    ~Core();
    Core(Core&&) noexcept;
    Core& operator=(Core&&) noexcept;

    /// Takes in one event and appends what is to be done about it.
    /// `event.now` never goes back. The first step also starts discovery.
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

    /// When to step a Tick at the latest.
    [[nodiscard]] Instant next_deadline() const;

    [[nodiscard]] const NodeId& self() const;
    /// Synced with every peer that could be reached, or no seed answered in time.
    [[nodiscard]] bool is_ready() const;

    /// Members of a group by node name, then number; `local`: this node's own only.
    [[nodiscard]] std::vector<Member> members(const Group& group, bool local) const;
    /// Groups that have members, by store, then feature.
    [[nodiscard]] std::vector<GroupInfo> groups() const;
    /// This node and every node it has not forgotten, by name.
    [[nodiscard]] std::vector<NodeInfo> nodes() const;
    [[nodiscard]] Status status() const;
    [[nodiscard]] const Durations& durations() const;
    /// Those of the status that take no look at every group or worker.
    [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;

    /// What is known of this node and of every node it has not forgotten, by name. Takes one step per node.
    [[nodiscard]] std::vector<NodeView> views(Instant now) const;
    /// A part of a walk through all groups that looks at `most` places; `from` is 0, then the `next` of the part
    /// before. A group that stands all the while is met once; others may be.
    [[nodiscard]] GroupsPart groups_part(std::uint64_t from, std::uint64_t most) const;
    /// What changed lately beyond `version`, oldest first; nothing without Bounds::journal.
    [[nodiscard]] std::vector<Change> changes(std::uint64_t version, Instant now) const;

    /// The log position applied for a node's current incarnation; 0 when unknown.
    [[nodiscard]] Seq applied(const std::string& node) const;

    /// Asserts every internal invariant; for tests and simulations.
    void check() const;
    /// Whether any buffer stands beyond its bound, and which; for simulations.
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster::cluster
