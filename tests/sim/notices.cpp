#include "tests/sim/notices.hpp"

#include <algorithm>
#include <iterator>

namespace muster::sim {

Data data_of(std::uint64_t number) {
    Data data;
    data.msgpack = "\xcf";
    for (int shift = 56; shift >= 0; shift -= 8) data.msgpack.push_back(static_cast<char>((number >> shift) & 0xff));
    return data;
}

std::uint64_t number_of(const Data& data) {
    if (data.msgpack.size() != 9 || data.msgpack[0] != '\xcf') throw Violation("a notification's data was changed");
    std::uint64_t number = 0;
    for (std::size_t i = 1; i < 9; ++i) number = (number << 8) | static_cast<unsigned char>(data.msgpack[i]);
    return number;
}

void Notices::taken(std::uint64_t number, Life& from, const std::string& worker, NotificationKind kind,
                    const Group& group, const std::vector<Member>& members, Duration now) {
    std::set<std::pair<std::uint64_t, std::uint64_t>> expected;
    for (const Member& member : members) {
        if (const Life* life = truth_.find(member.id.node)) expected.emplace(life->index, member.id.number.value);
    }
    const auto [at, fresh] = sent_.try_emplace(number);
    Sent& sent = at->second;
    sent.addressed.insert(expected.begin(), expected.end());
    if (!fresh) {
        sent.repeated = true;
        std::erase_if(sent.expected, [&](const auto& member) { return !expected.contains(member); });
        return;
    }
    sent.from = from.index;
    sent.worker = worker;
    sent.kind = kind;
    sent.group = group;
    sent.at = now;
    sent.expected = std::move(expected);
}

void Notices::answered(std::uint64_t number, const NotifyReport& report, bool waited) {
    const auto found = sent_.find(number);
    if (found == sent_.end()) throw Violation("a notification is answered that was never taken");
    Sent& sent = found->second;
    sent.promised = true;
    const auto who = "notification " + std::to_string(number) + ": ";
    if (report.waited != waited) throw Violation(who + "the report says waited, or not, but it was the other");
    if (!sent.repeated) {
        std::set<std::uint64_t> nodes;
        for (const auto& [life, member] : sent.expected) nodes.insert(life);
        if (report.matched != sent.expected.size() || report.nodes != nodes.size()) {
            throw Violation(who + "the report says " + std::to_string(report.matched) + " members on " +
                            std::to_string(report.nodes) + " nodes, the table had " +
                            std::to_string(sent.expected.size()) + " on " + std::to_string(nodes.size()));
        }
    }
    for (const Missed& missed : report.missed)
        if (missed.reason == MissReason::overflow) sent.overflowed.insert(missed.node);
    if (waited && !sent.repeated) judge_report(sent, report, who);
}

void Notices::refused(std::uint64_t number) {
    Sent& sent = sent_.at(number);
    if (sent.repeated) return;
    if (!sent.got.empty()) throw Violation("notification " + std::to_string(number) + " is refused, and was delivered");
    sent.refused = true;
}

void Notices::judge_report(const Sent& sent, const NotifyReport& report, const std::string& who) const {
    const auto got = static_cast<std::uint64_t>(std::count_if(
        sent.expected.begin(), sent.expected.end(), [&](const auto& member) { return sent.got.contains(member); }));
    if (report.delivered > got)
        throw Violation(who + "the report claims " + std::to_string(report.delivered) + " deliveries of " +
                        std::to_string(got));
    std::uint64_t told = report.delivered;
    for (const Missed& missed : report.missed) told += missed.members;
    if (told != report.matched)
        throw Violation(who + "the report says what became of " + std::to_string(told) + " members of " +
                        std::to_string(report.matched));
    for (const auto& [life, members] : sent.dropped) {
        std::uint64_t overflow = 0;
        bool known = true;
        for (const Missed& missed : report.missed) {
            if (missed.node != truth_.at(life).id.name) continue;
            if (missed.reason == MissReason::overflow) overflow += missed.members;
            known = known && missed.reason != MissReason::timeout && missed.reason != MissReason::node_down;
        }
        if (known && overflow < members)
            throw Violation(who + std::to_string(members) + " members of " + truth_.at(life).id.name +
                            " had no room for it, the report says " + std::to_string(overflow));
    }
}

void Notices::handled(const Notification& notification, Life& at, const Owner& owner) {
    const std::uint64_t number = number_of(notification.data);
    const auto who = "notification " + std::to_string(number) + " at " + at.id.name + ": ";
    const auto found = sent_.find(number);
    if (found == sent_.end()) throw Violation(who + "was never sent");
    Sent& sent = found->second;
    const Life& from = truth_.at(sent.from);
    if (sent.refused) throw Violation(who + "had been refused");
    if (notification.from_node != from.id || notification.from_worker != sent.worker ||
        notification.kind != sent.kind || notification.group != sent.group) {
        throw Violation(who + "sender, kind or group was changed");
    }
    if (notification.members.empty()) throw Violation(who + "is for nobody");
    for (const MemberNumber member : notification.members) {
        const auto name = muster::to_string(MemberId{at.id, member});
        const auto real = at.ever.find(member.value);
        if (real == at.ever.end() || real->second.group != sent.group || real->second.owner != owner) {
            throw Violation(who + "reaches an owner for " + name + ", which is not its member in this group");
        }
        if (!sent.got.emplace(at.index, member.value).second) throw Violation(who + "reaches " + name + " twice");
        auto& latest = latest_[{at.index, member.value, sent.from, sent.worker}];
        if (notification.seq <= latest) throw Violation(who + "overtakes an earlier one on the way to " + name);
        latest = notification.seq;
        ++delivered_;
    }
}

void Notices::dropped(const Notification& notification, const Life& at, std::uint64_t awaited) {
    const auto found = sent_.find(number_of(notification.data));
    if (found == sent_.end()) throw Violation("a notification is dropped that was never sent");
    if (awaited != 0) found->second.dropped[at.index] += awaited;
    for (const MemberNumber member : notification.members) found->second.gave_way.emplace(at.index, member.value);
}

void Notices::gap(const Life& at, const Owner& owner, std::uint64_t missed) {
    gaps_[{at.index, owner}] += missed;
}

bool Notices::excused(const Sent& sent, std::uint64_t life, std::uint64_t member) const {
    const Life& at = truth_.at(life);
    // Where losses of too many groups are to be told already, it is the notifier who is told.
    return !at.running || !truth_.at(sent.from).running || !at.stands(member) || sent.overflowed.contains(at.id.name);
}

std::string Notices::name_of(std::uint64_t number, const Sent& sent) const {
    return "notification " + std::to_string(number) + " from " + truth_.at(sent.from).id.name +
           (sent.worker.empty() ? "" : " (" + sent.worker + ")") + " sent at " +
           std::to_string(sent.at.count() / 1000) + " ms";
}

std::optional<std::string> Notices::owed() const {
    Owners missing;
    for (const auto& [number, sent] : sent_) {
        if (!sent.promised) continue;
        for (const auto& [life, member] : sent.expected) {
            if (sent.got.contains({life, member}) || sent.gave_way.contains({life, member})) continue;
            if (excused(sent, life, member)) continue;
            const Life& at = truth_.at(life);
            const Owner& owner = at.ever.at(member).owner;
            const auto gap = gaps_.find({life, owner});
            const std::uint64_t told = gap == gaps_.end() ? 0 : gap->second;
            if (++missing[{life, owner}] <= told) continue;
            return name_of(number, sent) + " is owed to " + muster::to_string(MemberId{at.id, MemberNumber{member}}) +
                   (owner.worker.empty() ? "" : " of " + owner.worker) + ", which was told of " + std::to_string(told) +
                   " that it missed";
        }
    }
    return told_too_much();
}

/// Of the owner's members those that did not get it, although their node was sent it: the
/// ones that were matched, and any that had joined since.
std::uint64_t Notices::may_miss(const Sent& sent, std::uint64_t life, const Owner& owner) const {
    const auto first = sent.addressed.lower_bound({life, 0});
    const auto end = sent.addressed.lower_bound({life + 1, 0});
    if (first == end) return 0;
    const std::uint64_t newest = std::prev(end)->second;
    std::uint64_t count = 0;
    for (const auto& [member, real] : truth_.at(life).ever) {
        const std::pair key{life, member};
        const bool sent_to = member > newest || sent.addressed.contains(key);
        // What came before its node took another incarnation, and was not acknowledged yet, is told as lost as well.
        const bool came = sent.got.contains(key) && !truth_.at(sent.from).went_on;
        const bool missed = sent_to && !came && !sent.gave_way.contains(key);
        if (missed && real.owner == owner && real.group == sent.group) ++count;
    }
    return count;
}

/// Nobody is told to have missed more than there was and did not come.
std::optional<std::string> Notices::told_too_much() const {
    if (gaps_.empty()) return std::nullopt;
    Owners missed;
    for (const auto& [number, sent] : sent_)
        for (const auto& [key, told] : gaps_) missed[key] += may_miss(sent, key.first, key.second);
    for (const auto& [key, told] : gaps_)
        if (told > missed[key])
            return truth_.at(key.first).id.name + " told " +
                   (key.second.worker.empty() ? "a handler" : key.second.worker) + " of " + std::to_string(told) +
                   " that it missed, of " + std::to_string(missed[key]);
    return std::nullopt;
}

}  // namespace muster::sim
