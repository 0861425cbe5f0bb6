// Notifications: to the nodes that have members, one item each; there to the
// members by that node's own table; and reports back, for who asked to wait.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/base/caller.hpp"
#include "cluster/delivery/link.hpp"
#include "cluster/delivery/routes.hpp"
#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

class Router {
public:
    Router(Context& context, Routes& routes, Links& links, Sessions& sessions)
        : ctx_(context), routes_(routes), links_(links), sessions_(sessions) {}

    struct Call {
        Caller caller;
        std::string worker;  // empty: this node itself
        NotificationKind kind = NotificationKind::created;
        Group group;
        Data data;
        bool wait = false;
        Duration timeout{};
    };
    void notify(Call call);

    /// A notice from another node for the members here.
    void take(const NodeId& from, const proto::SharedNotice& notice) { fan_out(from, notice); }
    void take(const NodeId& from, const proto::NoticeReport& report);
    void take(const proto::NoticesLost& lost);
    /// What became of items that sessions and handlers were given.
    void took(const std::vector<Outcome>& outcomes);
    void on(const Transition& transition);
    void tick();
    Answers take_answers() { return std::exchange(answers_, {}); }
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    /// A notify that waits for what became of it.
    struct PendingReport {
        Caller caller;
        NotifyReport report;
        std::map<std::string, std::uint64_t> outstanding;  // members, by node
        Instant deadline;
        Instant begun;
    };
    /// A notice spread over this node's members, for a node that waits.
    struct FanOut {
        NodeId from;
        proto::NoticeReport report;
        std::map<MissReason, std::uint64_t> missed;
        std::uint64_t outstanding = 0;
        Instant expires;
    };

    using Targets = std::vector<Routes::Target>;
    void send_and_wait(const Call& call, const Targets& targets, proto::Notice notice, std::size_t size,
                       NotifyReport report);
    /// The first target to which so many bytes cannot go, when the policy is to refuse them then.
    [[nodiscard]] const Routes::Target* full(const Targets& targets, std::size_t size) const;
    /// Puts the notice on its way; what it met there is added to the report.
    void send(const Targets& targets, proto::Notice notice, std::size_t size, NotifyReport& report);
    void dropped(const NodeId& node, const std::vector<std::uint64_t>& tickets);

    void fan_out(const NodeId& from, const proto::SharedNotice& notice);
    FanOutId begin_fan_out(const NodeId& from, const proto::Notice& notice);
    void deliver(const std::shared_ptr<const Recipients>& handlers, const proto::SharedNotice& notice, FanOutId id);
    void deliver(SessionToken session, const Routes::SharedMembers& members, const proto::SharedNotice& notice,
                 FanOutId id);
    void account(const Outcome& outcome);
    void report_if_done(FanOutId id);
    void settle(std::uint64_t ticket, const std::string& node, std::uint64_t delivered, std::vector<Missed> missed);
    void finish_if_done(std::uint64_t ticket);

    Context& ctx_;
    Routes& routes_;
    Links& links_;
    Sessions& sessions_;
    std::uint64_t notify_seq_ = 0;
    std::uint64_t last_ticket_ = 0;
    FanOutId last_fan_out_;
    std::map<std::uint64_t, PendingReport> pending_reports_;
    std::map<FanOutId, FanOut> fan_outs_;
    Answers answers_;
};

}  // namespace muster::cluster
