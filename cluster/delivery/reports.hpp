// What the notify calls of this node are answered: now, or when all nodes that have members have reported.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/base/caller.hpp"
#include "cluster/base/context.hpp"
#include "cluster/delivery/routes.hpp"
#include "cluster/membership/peers.hpp"

namespace muster::cluster {

/// Keeps a PendingReport for each call that waits. Its ticket is in the notices of the call, and in the NoticeReports
/// that come back. Each target reports once; a target that goes down or that no notice reaches counts as missed.
class Reports {
public:
    explicit Reports(Context& context) : ctx_(context) {}

    /// Answers a call that does not wait.
    void answer(const Caller& caller, CallResult result) { answers_.emplace_back(caller, std::move(result)); }

    /// Makes a call wait for these targets until `timeout` has passed, and returns its ticket. `report` has what is
    /// known so far. `share` must have room.
    std::uint64_t open(const Caller& caller, NotifyReport report, const std::vector<Routes::Target>& targets,
                       Duration timeout, const SharedShare& share);
    /// Whether a call that waits for so many nodes may be opened.
    [[nodiscard]] bool has_room(const Shares::Share& share, std::size_t nodes) const;
    /// Answers the call if no target is outstanding.
    void answer_if_complete(std::uint64_t ticket);

    /// A target reports. PROTOCOL.md, "Records", `notice report`.
    void take(const NodeId& from, const proto::NoticeReport& report);
    /// All members at that node missed the notice.
    void missed(std::uint64_t ticket, const std::string& node, MissReason reason);
    /// The link to `node` dropped the notices with these tickets to make room. Members there hear of it by the link.
    void dropped(const NodeId& node, const std::vector<std::uint64_t>& tickets);
    void on(const Transition& transition);
    /// Answers the calls whose timeout is over.
    void tick();

    Answers take_answers() { return std::exchange(answers_, {}); }
    [[nodiscard]] std::optional<std::string> over_bounds() const;
    /// What waiting calls have drawn from Context::memory.
    [[nodiscard]] std::size_t memory() const;

private:
    struct PendingReport {
        Caller caller;
        NotifyReport report;
        std::map<std::string, std::uint64_t> outstanding;  // members matched, by node that has not reported
        Instant deadline;
        Instant begun;
        Drawn place;
        Drawn memory;
    };

    Context& ctx_;
    std::uint64_t last_ticket_ = 0;
    std::map<std::uint64_t, PendingReport> pending_;  // by ticket
    Answers answers_;
};

}  // namespace muster::cluster
