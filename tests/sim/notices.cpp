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

void Notices::taken(std::uint64_t number, Life& from, const Owner& notifier, NotificationKind kind, const Group& group,
                    const std::vector<Member>& members, Duration now, bool repeated) {
    std::set<MemberKey> expected;
    for (const Member& member : members) {
        if (const Life* life = truth_.find(member.id.node)) expected.emplace(life->index, member.id.number.value);
    }
    const auto [at, fresh] = sent_.try_emplace(number);
    Sent& sent = at->second;
    sent.addressed.insert(expected.begin(), expected.end());
    if (!notifier.worker.empty()) sent.sessions.insert(notifier.number);
    sent.sent_later = sent.sent_later || repeated;
    if (!fresh) return taken_again(sent, from, group, expected, now);
    sent.from = from.index;
    sent.worker = notifier.worker;
    if (const auto process = processes_.find(number); process != processes_.end()) sent.process = process->second;
    sent.worker_lives = sent.process != 0;
    sent.kind = kind;
    sent.group = group;
    sent.at = now;
    sent.expected = std::move(expected);
    const auto away = continuity_.away(from.index, group, now);
    sent.away.insert(away.begin(), away.end());
}

/// The same node takes it once: those count that were members both times. Another node sends it to members that were
/// there the first time, too: later ones may have had later calls of the worker, and drop it.
void Notices::taken_again(Sent& sent, const Life& from, const Group& group, const std::set<MemberKey>& expected,
                          Duration now) {
    sent.repeated = true;
    if (from.index == sent.from) {
        std::erase_if(sent.expected, [&](const auto& member) { return !expected.contains(member); });
        return;
    }
    std::set<MemberKey> roots;
    for (const auto* members : {&sent.expected, &sent.away})
        for (const MemberKey& member : *members) roots.insert(continuity_.root_of(member));
    Sent::Again again{from.index, now, {}, {}};
    for (const MemberKey& member : expected)
        if (roots.contains(continuity_.root_of(member))) again.expected.insert(member);
    for (const MemberKey& member : continuity_.away(from.index, group, now))
        if (roots.contains(continuity_.root_of(member))) again.away.insert(member);
    sent.again.push_back(std::move(again));
}

void Notices::not_taken(std::uint64_t number, const Life& from) {
    const auto found = sent_.find(number);
    if (found == sent_.end()) return;
    Sent& sent = found->second;
    if (!sent.again.empty() && sent.again.back().from == from.index)
        sent.again.pop_back();
    else if (sent.from == from.index && !sent.repeated)
        sent_.erase(found);
}

void Notices::worker_ended(const std::string& worker) {
    for (auto& [number, sent] : sent_)
        if (sent.worker == worker) sent.worker_lives = false;
}

bool Notices::was_sent_by(const Sent& sent, const NodeId& node) const {
    const auto sent_it = [&](std::uint64_t from) {
        if (truth_.at(from).id == node) return true;
        // A process that takes another incarnation sends repeated calls again as that.
        for (auto next = truth_.at(from).next; next && sent.sent_later; next = truth_.at(*next).next)
            if (truth_.at(*next).id == node) return true;
        return false;
    };
    return sent_it(sent.from) ||
           std::any_of(sent.again.begin(), sent.again.end(), [&](const auto& again) { return sent_it(again.from); });
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
        sent.expected.begin(), sent.expected.end(), [&](const auto& member) { return has_come(sent, member); }));
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
    if (sent.refused) throw Violation(who + "had been refused");
    if (!was_sent_by(sent, notification.from_node) || notification.from_worker != sent.worker ||
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
        const MemberKey root = continuity_.root_of({at.index, member.value});
        if (!sent.got.insert(root).second) throw Violation(who + "reaches " + name + " twice");
        // A worker's calls keep their order through all nodes that send them.
        const bool by_worker = sent.process != 0;
        const auto latest_of = [&](std::uint64_t node) -> std::uint64_t& {
            return latest_[{root.first, root.second, by_worker ? sent.process : sent.from, sent.worker, node}];
        };
        auto& latest = latest_of(0);
        auto& latest_of_node = latest_of(truth_.find(notification.from_node)->index + 1);
        const std::uint64_t place = by_worker ? number : notification.seq;
        // What was sent shortly before the member joined is not for it, but may come with a replay. Of a call that two
        // nodes send, one may be told as lost, and the other comes late.
        const bool told_lost = !sent.again.empty() && gaps_.contains(receiver(at.index, owner));
        // A member that has come to another node gets what it missed from the memories of all nodes at once. What a
        // notifier that has moved, too, sent at one of them may come after what it sent at the next.
        const bool from_memories = by_worker && continuity_.is_fresh({at.index, member.value}, sent.at);
        const std::uint64_t before = from_memories ? latest_of_node : latest;
        if (place <= before && was_for(sent, root) && !told_lost)
            throw Violation(who + "overtakes an earlier one on the way to " + name + ": " + name_of(number, sent) +
                            ", number " + std::to_string(notification.seq) + " of " + notification.from_node.name +
                            ", comes after " + std::to_string(before));
        latest = std::max(latest, place);
        latest_of_node = std::max(latest_of_node, place);
        ++delivered_;
    }
}

bool Notices::was_for(const Sent& sent, MemberKey root) const {
    const auto has = [&](const std::set<MemberKey>& members) {
        return std::any_of(members.begin(), members.end(),
                           [&](const MemberKey& member) { return continuity_.root_of(member) == root; });
    };
    return has(sent.expected) || has(sent.away);
}

void Notices::dropped(const Notification& notification, const Life& at, std::uint64_t awaited) {
    const auto found = sent_.find(number_of(notification.data));
    if (found == sent_.end()) throw Violation("a notification is dropped that was never sent");
    if (awaited != 0) found->second.dropped[at.index] += awaited;
    for (const MemberNumber member : notification.members) found->second.gave_way.emplace(at.index, member.value);
}

void Notices::gap(const Life& at, const Owner& owner, std::uint64_t missed, bool at_least) {
    gaps_[receiver(at.index, owner)] += missed;
    if (at_least) told_at_least_.insert(receiver(at.index, owner));
}

bool Notices::has_come(const Sent& sent, MemberKey member) const {
    return sent.got.contains(continuity_.root_of(member));
}

/// Whether the worker, or the handler, that has the member now must have had it. `away`: the member was not known when
/// it was sent, because its node was believed dead or its worker lost; it counts if the worker has joined again since.
bool Notices::is_owed(const Sent& sent, std::uint64_t from, Duration sent_at, MemberKey member, bool away) const {
    const MemberKey latest = continuity_.latest_of(member);
    const Life& at = truth_.at(latest.first);
    if (!at.running || !at.stands(latest.second)) return false;
    // Where losses of too many groups are to be told already, it is the notifier who is told.
    if (sent.overflowed.contains(at.id.name)) return false;
    const auto moved = continuity_.moved_at(member);
    // A worker sends again what may not have come to the members' nodes. If such a node is lost as well, nobody has it;
    // nor if the notifier's node, which has died since, had met an impostor of that name, and took it for the next
    // life.
    const Life& sender = truth_.at(from);
    if (!sender.running && (!sent.worker_lives || moved || away || sender.replaced.contains(member.first)))
        return false;
    if (continuity_.is_followed(from, member, sent_at)) return false;
    if (moved && *moved - sent_at >= continuity_.window()) return false;
    return !away || (moved && !continuity_.returned_since(from, member, sent_at));
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
        std::set<MemberKey> owed;  // roots
        const auto add = [&](std::uint64_t from, Duration at, const std::set<MemberKey>& members, bool away) {
            for (const MemberKey& member : members)
                if (is_owed(sent, from, at, member, away)) owed.insert(continuity_.root_of(member));
        };
        add(sent.from, sent.at, sent.expected, false);
        add(sent.from, sent.at, sent.away, true);
        for (const auto& again : sent.again) {
            add(again.from, again.at, again.expected, false);
            add(again.from, again.at, again.away, true);
        }
        for (const MemberKey& root : owed) {
            if (sent.got.contains(root) || sent.gave_way.contains(root)) continue;
            const auto [life, member] = continuity_.latest_of(root);
            const Life& at = truth_.at(life);
            const Owner& owner = at.ever.at(member).owner;
            const Receiver to = receiver(life, owner);
            if (told_at_least_.contains(to)) continue;
            const auto gap = gaps_.find(to);
            const std::uint64_t told = gap == gaps_.end() ? 0 : gap->second;
            if (++missing[to] <= told) continue;
            return name_of(number, sent) + " is owed to " + muster::to_string(MemberId{at.id, MemberNumber{member}}) +
                   (owner.worker.empty() ? "" : " of " + owner.worker) + ", which was told of " + std::to_string(told) +
                   " that it missed";
        }
    }
    return told_too_much();
}

/// Of each owner's members those that did not get it, although their node was sent it, or their workers asked for it:
/// the ones that were matched, any that had joined since, and those whose workers moved.
void Notices::count_what_may_miss(const Sent& sent, Owners& missed) const {
    for (const auto& life : truth_.lives()) {
        const auto end = sent.addressed.lower_bound({life->index + 1, 0});
        const bool known = end != sent.addressed.begin() && std::prev(end)->first == life->index;
        const std::uint64_t newest = known ? std::prev(end)->second : 0;
        for (const auto& [member, real] : life->ever) {
            const MemberKey key{life->index, member};
            if (real.group != sent.group) continue;
            // A call that is repeated goes to nodes that are shown later, too, whether or not its first request
            // arrived.
            const bool sent_to = ((known || sent.sent_later) && member > newest) || sent.addressed.contains(key) ||
                                 continuity_.is_fresh(key, sent.at);
            // What came before its node took another incarnation, and was not acknowledged yet, is told as lost as
            // well. So is what a link lost and the memory of its origin replayed, and each copy of a call that the
            // notifier repeated: the node that loses one does not know which others have come.
            const bool came = sent.gave_way.contains(key) ||
                              (has_come(sent, key) && !truth_.at(sent.from).went_on && !continuity_.has_moved(key));
            if (sent_to) missed[receiver(life->index, real.owner)] += sent.copies() - (came ? 1 : 0);
        }
    }
    for (const MemberKey& member : sent.away)
        missed[receiver(member.first, truth_.at(member.first).ever.at(member.second).owner)] += sent.copies();
}

/// Nobody is told to have missed more than there was and did not come.
std::optional<std::string> Notices::told_too_much() const {
    if (gaps_.empty()) return std::nullopt;
    Owners missed;
    for (const auto& [number, sent] : sent_) count_what_may_miss(sent, missed);
    for (const auto& [key, told] : gaps_)
        if (told > missed[key])
            return truth_.at(key.first).id.name + " told " +
                   (key.second.worker.empty() ? "a handler" : key.second.worker) + " of " + std::to_string(told) +
                   " that it missed, of " + std::to_string(missed[key]);
    return std::nullopt;
}

}  // namespace muster::sim
