// The notifier's node: what a notify call of this node becomes. PROTOCOL.md, "56 NotifyRequest".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/delivery/fan_outs.hpp"
#include "cluster/delivery/links.hpp"
#include "cluster/delivery/reports.hpp"
#include "cluster/delivery/routes.hpp"

namespace muster::cluster {

class Notifier {
public:
    Notifier(Context& context, Routes& routes, Links& links, FanOuts& fan_outs, Reports& reports)
        : ctx_(context), routes_(routes), links_(links), fan_outs_(fan_outs), reports_(reports) {}

    /// Sends one notice to each node that has members of the group. `worker` names the worker that calls; it is empty
    /// for a call from inside the process. The answer goes to `reports`: now, or, with `request.wait`, when the
    /// outcome for every member is known or `request.timeout_ms` (at most 24 hours) have passed.
    ///
    /// A call that waits draws from `share`.
    ///
    /// Errors, with nothing sent: bad_request (names or data); overloaded (`share` has no room, or with
    /// OverflowPolicy::refuse_newest the link to a node is full).
    void notify(const Caller& caller, const std::string& worker, proto::NotifyRequest request,
                const SharedShare& share);

private:
    using Targets = std::vector<Routes::Target>;
    /// The first target whose link has no room for `size` bytes, if the policy is to refuse the call then.
    [[nodiscard]] const Routes::Target* first_full(const Targets& targets, std::size_t size) const;
    /// Sends the notice to all targets. Adds targets that a full link kept it from to `report.missed`.
    void send(const Targets& targets, proto::Notice notice, std::size_t size, NotifyReport& report);

    Context& ctx_;
    Routes& routes_;
    Links& links_;
    FanOuts& fan_outs_;
    Reports& reports_;
    std::uint64_t last_seq_ = 0;  // of this node's notices
};

}  // namespace muster::cluster
