// Notifications: to the nodes that have members, one item each; there to the
// members by that node's own table; and reports back, for who asked to wait.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/caller.hpp"
#include "cluster/link.hpp"
#include "cluster/local_members.hpp"
#include "cluster/replicator.hpp"
#include "cluster/sessions.hpp"

namespace muster::cluster {

class Router {
public:
    Router(Context& context, const Replicator& replicator, const LocalMembers& local, Links& links, Sessions& sessions)
        : ctx_(context), replicator_(replicator), local_(local), links_(links), sessions_(sessions) {}

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
    void take(const NodeId& from, proto::Notice notice);
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
    struct Pending {
        Caller caller;
        NotifyReport report;
        std::map<std::string, std::uint64_t> outstanding;  // members, by node
        Instant deadline;
    };
    /// A notice spread over this node's members, for a node that waits.
    struct Spread {
        NodeId from;
        proto::NoticeReport report;
        std::map<MissReason, std::uint64_t> missed;
        std::uint64_t outstanding = 0;
        Instant expires;
    };

    /// A node that has members of the group.
    struct Target {
        NodeId node;
        std::uint64_t members = 0;
        MemberNumber newest;
    };
    [[nodiscard]] std::vector<Target> targets_of(const Group& group) const;
    /// The first target to which the notice cannot go, when the policy is to refuse it then.
    [[nodiscard]] const Target* full(const std::vector<Target>& targets, const proto::Notice& notice) const;
    /// Puts the notice on its way; what it met there is added to the report.
    void send(const std::vector<Target>& targets, proto::Notice notice, NotifyReport& report);
    void dropped(const NodeId& node, const std::vector<std::uint64_t>& tickets);

    void spread(const NodeId& from, const proto::Notice& notice);
    FanOut begin_spread(const NodeId& from, const proto::Notice& notice);
    void deliver(const Owner& owner, const Notification& notification, std::size_t size, Session::Waiter waiter);
    void account(const Outcome& outcome);
    void report_if_done(FanOut id);
    void settle(std::uint64_t ticket, const std::string& node, std::uint64_t delivered, std::vector<Missed> missed);
    void finish_if_done(std::uint64_t ticket);

    Context& ctx_;
    const Replicator& replicator_;
    const LocalMembers& local_;
    Links& links_;
    Sessions& sessions_;
    std::uint64_t notify_seq_ = 0;
    std::uint64_t last_ticket_ = 0;
    FanOut last_spread_;
    std::map<std::uint64_t, Pending> pending_;
    std::map<FanOut, Spread> spreads_;
    Answers answers_;
};

}  // namespace muster::cluster
