#include "tests/sim/truth.hpp"

#include <algorithm>

namespace muster::sim {
namespace {

std::uint64_t mark_of(std::uint64_t number, const TrueMember& member) {
    return mix64(mix64(number) ^ group_key(member.group).value ^ group_key(member.owner.worker, "").value);
}

std::string text(const Group& group) {
    return group.store + ":" + group.feature;
}

}  // namespace

std::string to_text(const std::set<std::uint64_t>& numbers) {
    std::string out;
    for (const std::uint64_t number : numbers) out += (out.empty() ? "" : " ") + std::to_string(number);
    return "{" + out + "}";
}

// ---- lives -----------------------------------------------------------------

void Life::join(std::uint64_t number, TrueMember member) {
    member.mark = mark_of(number, member);
    digest ^= member.mark;
    ++present;
    held[{member.owner, member.group}].insert(number);
    if (!ever.emplace(number, std::move(member)).second) {
        throw Violation(id.name + ": member number " + std::to_string(number) + " is used twice");
    }
}

void Life::leave(std::uint64_t number, Reason reason) {
    const auto found = ever.find(number);
    if (found == ever.end() || found->second.gone) {
        throw Violation(id.name + ": member " + std::to_string(number) + " leaves, but is not joined");
    }
    TrueMember& member = found->second;
    member.gone = true;
    member.reason = reason;
    digest ^= member.mark;
    --present;
    const auto at = held.find({member.owner, member.group});
    at->second.erase(number);
    if (at->second.empty()) held.erase(at);
}

std::set<std::uint64_t> Life::to_leave(const Owner& owner, const Group& group, const std::vector<MemberNumber>& members,
                                       std::uint64_t count) const {
    std::set<std::uint64_t> chosen;
    const auto found = held.find({owner, group});
    if (found == held.end()) return chosen;
    for (const MemberNumber member : members) {
        if (found->second.contains(member.value)) chosen.insert(member.value);
    }
    if (!members.empty()) return chosen;
    for (auto at = found->second.rbegin(); at != found->second.rend() && chosen.size() < count; ++at)
        chosen.insert(*at);
    return chosen;
}

std::set<std::uint64_t> Life::all_of(const Owner& owner) const {
    std::set<std::uint64_t> all;
    for (auto at = held.lower_bound({owner, Group{}}); at != held.end() && at->first.first == owner; ++at) {
        all.insert(at->second.begin(), at->second.end());
    }
    return all;
}

bool Life::stands(std::uint64_t number) const {
    const auto found = ever.find(number);
    return found != ever.end() && !found->second.gone;
}

Life& Truth::begin(const NodeId& id) {
    auto life = std::make_unique<Life>();
    life->id = id;
    life->index = lives_.size();
    if (!by_id_.emplace(id, life.get()).second) throw Violation(id.name + ": an incarnation is used twice");
    lives_.push_back(std::move(life));
    return *lives_.back();
}

Life* Truth::find(const NodeId& id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

void Truth::rename(Life& life, const NodeId& id) {
    if (!life.ever.empty()) throw Violation(id.name + ": takes another incarnation although it has had members");
    by_id_.erase(life.id);
    life.id = id;
    if (!by_id_.emplace(id, &life).second) throw Violation(id.name + ": takes an incarnation that was used");
}

Life& Truth::succeed(Life& life, const NodeId& id) {
    if (id.incarnation <= life.id.incarnation) throw Violation(id.name + ": takes a lower incarnation");
    Life& next = begin(id);
    life.next = next.index;
    next.ever = life.ever;
    std::erase_if(next.ever, [](const auto& entry) { return entry.second.gone; });
    next.held = life.held;
    next.present = life.present;
    next.digest = life.digest;
    life.running = false;
    life.graceful = true;
    return next;
}

// ---- views -----------------------------------------------------------------

void View::take(const WatchEvent& event, Truth& truth) {
    if (event.kind == WatchEvent::Kind::snapshot) {
        if (event.continued == (started_ || !partial_)) fail("a part of a snapshot is out of place");
        started_ = !event.more;
        partial_ = event.more;
        if (!event.continued) parts_.clear();
    } else if (!started_) {
        fail("an event comes before the snapshot");
    } else if (event.groups.size() != 1 || event.groups[0].members.empty()) {
        fail("an event does not tell of exactly one group with members");
    }
    for (const GroupMembers& part : event.groups) {
        if (!watches_all() && part.group != filter_) fail("is told of another group: " + text(part.group));
        for (const Member& member : part.members) {
            if (event.kind == WatchEvent::Kind::leave) {
                leave(part.group, member, event.reason, truth);
            } else {
                join(part.group, member, truth);
            }
        }
    }
}

void View::join(const Group& group, const Member& member, Truth& truth) {
    Life* life = truth.find(member.id.node);
    const auto id = muster::to_string(member.id);
    if (!life) fail("told of a member of a life that never was: " + id);
    const auto found = life->ever.find(member.id.number.value);
    if (found == life->ever.end()) fail("told of a member that never was: " + id + " in " + text(group));
    const TrueMember& real = found->second;
    if (real.group != group) fail("told of " + id + " in " + text(group) + ", but it joined " + text(real.group));
    if (real.owner.worker != member.worker || real.meta != member.meta)
        fail("told of " + id + " with a wrong worker or meta");
    Part& part = parts_[life->id];
    part.life = life;
    if (!part.numbers.insert(member.id.number.value).second) fail("told twice that this joined: " + id);
    part.digest ^= real.mark;
}

void View::leave(const Group& group, const Member& member, Reason reason, Truth& truth) {
    const auto id = muster::to_string(member.id);
    Life* life = truth.find(member.id.node);
    const auto part = life ? parts_.find(life->id) : parts_.end();
    if (part == parts_.end() || part->second.numbers.erase(member.id.number.value) == 0) {
        fail("told that this left, of which it was never told: " + id);
    }
    const TrueMember& real = life->ever.at(member.id.number.value);
    if (real.group != group) fail("told that " + id + " left " + text(group) + ", but it was in " + text(real.group));
    const bool by_itself = reason == Reason::left || reason == Reason::worker_down || reason == Reason::moved;
    if (by_itself && !real.gone) fail("told that this left by itself, but it stands: " + id);
    if (reason == Reason::worker_down && real.reason != reason) fail("told that its worker died, but it left: " + id);
    if (reason == Reason::node_left && !(life->graceful || !life->running)) {
        fail("told that the node left, but it runs: " + id);
    }
    part->second.digest ^= real.mark;
    if (part->second.numbers.empty()) parts_.erase(part);
}

void View::compare(const cluster::Core& core) const {
    if (!started_) fail("has no snapshot");
    std::size_t known = 0;
    for (const auto& [id, part] : parts_) known += part.numbers.size();
    std::size_t there = 0;
    const auto look_up = [&](const Group& group) {
        const auto members = core.members(group, false);
        if (!std::is_sorted(members.begin(), members.end(),
                            [](const Member& a, const Member& b) { return a.id < b.id; })) {
            fail("members() is not in order");
        }
        for (const Member& member : members) {
            const auto part = parts_.find(member.id.node);
            if (part == parts_.end() || !part->second.numbers.contains(member.id.number.value)) {
                fail("was not told of " + muster::to_string(member.id) + " in " + text(group) +
                     ", which the table has");
            }
        }
        there += members.size();
        return members.size();
    };
    if (watches_all()) {
        for (const GroupInfo& info : core.groups()) {
            if (look_up(info.group) != info.members || info.members == 0)
                fail("groups() miscounts " + text(info.group));
        }
    } else {
        look_up(filter_);
    }
    if (there != known) {
        fail("believes in " + std::to_string(known) + " members, the table has " + std::to_string(there));
    }
}

}  // namespace muster::sim
