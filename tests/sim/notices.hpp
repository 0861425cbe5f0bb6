// The truth of notifications: which were sent, who must get them, who got them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/truth.hpp"

namespace muster::sim {

/// Every notification of a run carries a number of its own as its data.
Data data_of(std::uint64_t number);
std::uint64_t number_of(const Data& data);

class Notices {
public:
    explicit Notices(Truth& truth) : truth_(truth) {}

    std::uint64_t next_number() { return ++last_number_; }

    /// The notifier's node takes it now. Taken again (a repeated request), only
    /// those count that were members both times.
    void taken(std::uint64_t number, Life& from, const std::string& worker, NotificationKind kind, const Group& group,
               const std::vector<Member>& members, Duration now);
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
    void gap(const Life& at, const Owner& owner, std::uint64_t missed);

    /// What is still owed to a member that stands, or was told as missed and was not; nothing when
    /// all is delivered or told.
    [[nodiscard]] std::optional<std::string> owed() const;
    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

private:
    struct Sent {
        std::uint64_t from = 0;  // index of the life
        std::string worker;
        NotificationKind kind = NotificationKind::created;
        Group group;
        Duration at{0};
        bool promised = false;
        bool refused = false;
        bool repeated = false;
        std::set<std::pair<std::uint64_t, std::uint64_t>> expected;  // life, member number: that it must come to
        // The same, that it may have been sent to: of a request that came again, those it found the first time, too.
        std::set<std::pair<std::uint64_t, std::uint64_t>> addressed;
        std::set<std::pair<std::uint64_t, std::uint64_t>> got;
        // Members of handlers that had no room for it, and how many of them somebody waits for, by life.
        std::set<std::pair<std::uint64_t, std::uint64_t>> gave_way;
        std::map<std::uint64_t, std::uint64_t> dropped;
        std::set<std::string> overflowed;  // nodes, by the report
    };

    using Owners = std::map<std::pair<std::uint64_t, Owner>, std::uint64_t>;  // life, owner -> deliveries to members
    /// A report without a guess: nothing delivered that was not handled, nothing dropped that is not told.
    void judge_report(const Sent& sent, const NotifyReport& report, const std::string& who) const;
    [[nodiscard]] bool excused(const Sent& sent, std::uint64_t life, std::uint64_t member) const;
    [[nodiscard]] std::string name_of(std::uint64_t number, const Sent& sent) const;
    [[nodiscard]] std::uint64_t may_miss(const Sent& sent, std::uint64_t life, const Owner& owner) const;
    [[nodiscard]] std::optional<std::string> told_too_much() const;

    Truth& truth_;
    std::uint64_t last_number_ = 0;
    std::uint64_t delivered_ = 0;
    std::map<std::uint64_t, Sent> sent_;
    // Receiving life, member, sending life, worker -> latest number in the sender's order.
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::string>, std::uint64_t> latest_;
    Owners gaps_;
};

}  // namespace muster::sim
