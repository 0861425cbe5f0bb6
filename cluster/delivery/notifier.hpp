// The notifier's node: what a notify call of this node becomes. PROTOCOL.md, "56 NotifyRequest".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/delivery/fan_outs.hpp"
#include "cluster/delivery/links.hpp"
#include "cluster/delivery/reports.hpp"
#include "cluster/delivery/routes.hpp"

namespace muster::cluster {

class Notifier {
public:
    Notifier(Context& context, const Replicas& replicas, Recent& recent, Routes& routes, Links& links,
             FanOuts& fan_outs, Reports& reports)
        : ctx_(context),
          replicas_(replicas),
          recent_(recent),
          routes_(routes),
          links_(links),
          fan_outs_(fan_outs),
          reports_(reports),
          repeated_bytes_(context.memory, memory_of(context.own_share)) {}

    /// Sends one notice to each node that has members of the group. `worker` names the worker that calls; it is empty
    /// for a call from inside the process. The answer goes to `reports`: now, or, with `request.wait`, when the
    /// outcome for every member is known or `request.timeout_ms` (at most 24 hours) have passed.
    ///
    /// A call that waits draws from `share`.
    ///
    /// Errors, with nothing sent: bad_request (names or data); overloaded (`share` has no room, or with
    /// OverflowPolicy::refuse_newest the link to a node is full).
    /// `life`: of the worker's process.
    void notify(const Caller& caller, const std::string& worker, std::uint64_t life, proto::NotifyRequest request,
                const SharedShare& share);

    /// The shown members of a group (nullopt: of very many) have changed. Calls that workers repeat after the death of
    /// their node may come to a node that does not know all others yet, as after its own restart, or whose copy of a
    /// table is behind. What it has taken of them goes to members that are shown later as well, before anything else.
    void group_changed(const std::optional<Group>& group);
    /// All groups have been told, and tables shown or hidden.
    void tables_changed();
    /// Forgets repeated calls that are older than Timing::handover_window.
    void tick();
    /// This node has another incarnation, as which it sends the repeated calls again: their workers may believe them
    /// settled, if this node knew nobody else yet.
    void begin_life();
    /// The lowest number of a notice for a repeated call that is younger than `age`; UINT64_MAX: none.
    [[nodiscard]] std::uint64_t lowest_repeated(Duration age) const;
    /// Whether the node's table is whole, and it was sent all repeated calls.
    [[nodiscard]] bool has_served(const NodeId& node) const { return served_.contains(node); }
    [[nodiscard]] std::size_t memory() const { return repeated_bytes_.amount(); }

private:
    using Targets = std::vector<Routes::Target>;
    struct Repeated {
        proto::SharedNotice notice;
        Instant at;
        std::size_t size = 0;         // on the wire
        std::vector<NodeId> sent_to;  // no node may get it twice: it would be another part of one notification

        [[nodiscard]] std::size_t bytes() const;
    };
    void keep_repeated(proto::Notice notice, std::size_t size, const Targets& targets);
    void send_repeated(const std::set<Group>& groups);
    void send_repeated(Repeated& repeated, const Targets& targets);
    [[nodiscard]] bool is_open(const NodeId& node) const { return node != ctx_.self && !served_.contains(node); }
    void forget_repeated();
    [[nodiscard]] std::set<NodeId> whole_nodes() const;

    /// The first target whose link has no room for `size` bytes, if the policy is to refuse the call then.
    [[nodiscard]] const Routes::Target* first_full(const Targets& targets, std::size_t size) const;
    /// Sends the notice to all targets. Adds targets that a full link kept it from to `report.missed`.
    /// With a ticket each target gets a copy of `notice`, otherwise all get `for_all`.
    void send(const Targets& targets, proto::Notice& notice, const proto::SharedNotice& for_all, std::size_t size,
              NotifyReport& report);

    Context& ctx_;
    const Replicas& replicas_;
    Recent& recent_;
    Routes& routes_;
    Links& links_;
    FanOuts& fan_outs_;
    Reports& reports_;
    std::deque<Repeated> repeated_;  // oldest first
    std::set<NodeId> served_;        // nodes whose tables are whole, and that were sent all of these
    // Nodes whose tables were not whole when a repeated call was taken, and the number of the first such notice.
    std::map<NodeId, std::uint64_t> behind_;
    std::set<Group> changed_;  // since tables_changed()
    bool all_changed_ = false;
    Drawn repeated_bytes_;
};

}  // namespace muster::cluster
