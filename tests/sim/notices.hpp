// The truth of notifications: which were sent, who must get them, who got them.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/continuity.hpp"
#include "tests/sim/truth.hpp"

namespace muster::sim {

/// Every notification of a run carries a number of its own as its data.
Data data_of(std::uint64_t number);
std::uint64_t number_of(const Data& data);

class Notices {
public:
    Notices(Truth& truth, const Continuity& continuity) : truth_(truth), continuity_(continuity) {}

    std::uint64_t next_number() { return ++last_number_; }

    /// A worker's process makes the call, which has an identity that outlives its session.
    void called(std::uint64_t number, std::uint64_t process) { processes_[number] = process; }
    /// The notifier's node takes it now. Taken again (a repeated request), only
    /// those count that were members both times. `repeated`: the worker says that it had sent it in another session.
    void taken(std::uint64_t number, Life& from, const Owner& notifier, NotificationKind kind, const Group& group,
               const std::vector<Member>& members, Duration now, bool repeated = false);
    /// The node has refused the session: it has not taken it.
    void not_taken(std::uint64_t number, const Life& from);
    /// The process of a worker has ended: what it sent is not sent again.
    void worker_ended(const std::string& worker);
    /// The node has promised: an answer without error.
    void answered(std::uint64_t number, const NotifyReport& report, bool waited);
    /// The node has refused the whole call: nobody may get it.
    void refused(std::uint64_t number);
    /// A member's process handles it. Throws a Violation on a duplicate, a
    /// reorder, or what was never sent to it.
    void handled(const Notification& notification, Life& at, const Owner& owner);
    /// A handler inside a node had no room for it; the notifier is to be told of `awaited` of its members.
    void dropped(const Notification& notification, const Life& at, std::uint64_t awaited);
    /// An owner is told that its members missed notifications.
    void gap(const Life& at, const Owner& owner, std::uint64_t missed, bool at_least = false);

    /// What is still owed to a member that stands, or was told as missed and was not; nothing when
    /// all is delivered or told.
    [[nodiscard]] std::optional<std::string> owed() const;
    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

private:
    struct Sent {
        std::uint64_t from = 0;  // index of the life
        std::string worker;
        std::uint64_t process = 0;  // that made the call; 0: it ends with its session
        bool worker_lives = false;  // that process
        NotificationKind kind = NotificationKind::created;
        Group group;
        Duration at{0};
        bool promised = false;
        bool refused = false;
        bool repeated = false;
        std::set<std::uint64_t> sessions;  // of the worker that sent it: for each, a node sends a copy
        bool sent_later = false;           // also to nodes that are shown later
        [[nodiscard]] std::uint64_t copies() const { return std::max<std::uint64_t>(1, sessions.size()); }
        std::set<MemberKey> expected;  // that it must come to
        // That its node had lost lately: it must come to those whose workers join again.
        std::set<MemberKey> away;
        /// A worker has sent it again to another node.
        struct Again {
            std::uint64_t from = 0;
            Duration at{0};
            std::set<MemberKey> expected;
            std::set<MemberKey> away;
        };
        std::vector<Again> again;
        // The same, that it may have been sent to: of a request that came again, those it found the first time, too.
        std::set<MemberKey> addressed;
        std::set<MemberKey> got;  // roots
        // Members of handlers that had no room for it, and how many of them somebody waits for, by life.
        std::set<MemberKey> gave_way;
        std::map<std::uint64_t, std::uint64_t> dropped;
        std::set<std::string> overflowed;  // nodes, by the report
    };

    /// Who is told of losses: a handler of a life, or a worker, whatever its sessions.
    using Receiver = std::pair<std::uint64_t, Owner>;
    using Owners = std::map<Receiver, std::uint64_t>;  // deliveries to members
    static Receiver receiver(std::uint64_t life, const Owner& owner) {
        return owner.worker.empty() ? Receiver{life, owner} : Receiver{0, Owner{owner.worker, 0}};
    }
    /// A report without a guess: nothing delivered that was not handled, nothing dropped that is not told.
    void judge_report(const Sent& sent, const NotifyReport& report, const std::string& who) const;
    [[nodiscard]] bool was_for(const Sent& sent, MemberKey root) const;
    [[nodiscard]] bool has_come(const Sent& sent, MemberKey member) const;
    /// By one node that took it, at one time.
    [[nodiscard]] bool is_owed(const Sent& sent, std::uint64_t from, Duration sent_at, MemberKey member,
                               bool away) const;
    void taken_again(Sent& sent, const Life& from, const Group& group, const std::set<MemberKey>& expected,
                     Duration now);
    [[nodiscard]] bool was_sent_by(const Sent& sent, const NodeId& node) const;
    [[nodiscard]] std::string name_of(std::uint64_t number, const Sent& sent) const;
    void count_what_may_miss(const Sent& sent, Owners& missed) const;
    [[nodiscard]] std::optional<std::string> told_too_much() const;

    Truth& truth_;
    const Continuity& continuity_;
    std::uint64_t last_number_ = 0;
    std::uint64_t delivered_ = 0;
    std::map<std::uint64_t, Sent> sent_;
    std::map<std::uint64_t, std::uint64_t> processes_;  // by number
    // Receiving life, member, sending life or process, worker, and the life of the node that sent it for a process (0:
    // of any) -> latest number in the sender's order.
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::string, std::uint64_t>, std::uint64_t>
        latest_;
    Owners gaps_;
    std::set<Receiver> told_at_least_;  // of perhaps more
};

}  // namespace muster::sim
