#include "cluster/workers/local_members.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "cluster/base/random.hpp"
#include "cluster/base/wire_size.hpp"
#include "cluster/base/work.hpp"
#include "cluster/check.hpp"
#include "proto/limits.hpp"
#include "proto/validate.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMembershipBytes = 448;  // of one owner in one group, in all lists of this node
constexpr std::size_t kMemberBytes = 64;       // of one that is alone in its run, in all lists of this node
constexpr std::size_t kRunsAtOnce = 4096;      // that leave when their owner has gone

std::string why_invalid(const Group& group, std::uint64_t count, const Meta& meta) {
    if (auto why = proto::why_invalid(group); !why.empty()) return why;
    if (auto why = proto::why_invalid_count(count); !why.empty()) return why;
    return proto::why_invalid(meta);
}

std::uint64_t hash_of(const Owner& owner) {
    const std::uint64_t kind = owner.index();
    return std::visit([&](const auto& id) { return mix64(id.value ^ mix64(kind)); }, owner);
}

std::uint64_t hash_of(std::uint32_t owner, std::uint32_t group) {
    return mix64(std::uint64_t{owner} << 32 | group);
}

bool is_among(const Owner& owner, const Owner& wanted) {
    return owner == wanted || (wanted == Owner(kAnyHandler) && std::holds_alternative<HandlerId>(owner));
}

/// What the metadata of one member costs where it is sent.
std::uint32_t charge_of(const Meta& meta) {
    return meta.empty() ? 0 : static_cast<std::uint32_t>(wire_size(meta));
}

/// Of a run in Membership::numbers.
std::size_t charged(const Run& run) {
    return std::size_t{run.count} * run.tag;
}

/// Commits leaves in as few deltas as have room for them in one frame each: mostly one.
class Leaves {
public:
    explicit Leaves(Replicas& replicas) : replicas_(replicas) {}

    void add(const Group& group, Reason reason, const std::vector<proto::NumberRun>& runs) {
        for (const auto& run : runs) {
            if (size_ > limits::kChunkBytes || members_ + run.count > limits::kMembersPerFrame) commit();
            if (delta_.changes.empty() || delta_.changes.back().group != group) {
                delta_.changes.push_back({group, reason, {}, {}});
                size_ += wire_size(delta_.changes.back());
            }
            delta_.changes.back().leaves.push_back(run);
            size_ += kWireRun;
            members_ += run.count;
        }
    }
    void commit() {
        if (!delta_.changes.empty()) replicas_.commit(std::exchange(delta_, {}));
        size_ = 0;
        members_ = 0;
    }

private:
    Replicas& replicas_;
    proto::Delta delta_;
    std::size_t size_ = 0;  // on the wire
    std::uint64_t members_ = 0;
};

/// Takes the element at `at` out of a list of memberships. The last one takes its position, and is passed to `moved`.
template <class Moved>
void take_out(std::vector<std::uint32_t>& list, std::uint32_t at, Moved moved) {
    list[at] = list.back();
    list.pop_back();
    if (at < list.size()) moved(list[at]);
}

}  // namespace

// ---- owners, groups, memberships ---------------------------------------------------

std::uint32_t LocalMembers::find_owner(const Owner& owner) const {
    return by_owner_.find(hash_of(owner), [&](std::uint32_t at) { return owners_[at].owner == owner; });
}

std::uint32_t LocalMembers::find_group(GroupRef ref) const {
    if (ref == kNoGroup) return kNone;
    return by_group_.find(mix64(ref), [&](std::uint32_t at) { return groups_[at].ref == ref; });
}

std::uint32_t LocalMembers::find_membership(std::uint32_t owner, std::uint32_t group) const {
    if (owner == kNone || group == kNone) return kNone;
    return by_pair_.find(hash_of(owner, group), [&](std::uint32_t at) {
        return memberships_[at].owner == owner && memberships_[at].group == group;
    });
}

std::uint32_t LocalMembers::make_owner(const Owner& owner, const SharedShare& share) {
    std::uint32_t at = find_owner(owner);
    if (at != kNone) return at;
    at = owners_.create();
    owners_[at].owner = owner;
    owners_[at].drawn = Drawn(ctx_.memory, memory_of(share));
    by_owner_.insert(hash_of(owner), at);
    return at;
}

std::uint32_t LocalMembers::make_group(const Group& group) {
    const GroupRef ref = replicas_.groups().acquire(group);
    std::uint32_t at = find_group(ref);
    if (at != kNone) {
        replicas_.groups().release(ref);
        return at;
    }
    at = groups_.create();
    groups_[at].ref = ref;
    by_group_.insert(mix64(ref), at);
    return at;
}

std::uint32_t LocalMembers::make_membership(std::uint32_t owner, std::uint32_t group) {
    std::uint32_t at = find_membership(owner, group);
    if (at != kNone) return at;
    at = memberships_.create();
    auto& of_owner = owners_[owner].memberships;
    auto& of_group = groups_[group].memberships;
    memberships_[at] = {
        owner, group, static_cast<std::uint32_t>(of_owner.size()), static_cast<std::uint32_t>(of_group.size()), {}};
    of_owner.push_back(at);
    of_group.push_back(at);
    by_pair_.insert(hash_of(owner, group), at);
    charge(owners_[owner], 0, bytes_of(groups_[group].ref));
    return at;
}

void LocalMembers::drop_membership(std::uint32_t at) {
    const Membership& gone = memberships_[at];
    const std::uint32_t owner = gone.owner;
    const std::uint32_t group = gone.group;
    take_out(owners_[owner].memberships, gone.in_owner,
             [&](std::uint32_t moved) { memberships_[moved].in_owner = gone.in_owner; });
    take_out(groups_[group].memberships, gone.in_group,
             [&](std::uint32_t moved) { memberships_[moved].in_group = gone.in_group; });
    by_pair_.erase(hash_of(owner, group), at);
    discharge(owners_[owner], 0, bytes_of(groups_[group].ref));
    memberships_.erase(at);
    if (owners_[owner].memberships.empty()) {
        by_owner_.erase(hash_of(owners_[owner].owner), owner);
        owners_.erase(owner);
    }
    if (groups_[group].memberships.empty()) {
        const GroupRef ref = groups_[group].ref;
        by_group_.erase(mix64(ref), group);
        groups_.erase(group);
        replicas_.groups().release(ref);
    }
}

// ---- joins and leaves --------------------------------------------------------------

Result<proto::NumberRun> LocalMembers::join(const Owner& owner, const std::string& worker, const Group& group,
                                            std::uint64_t count, const Meta& meta, const SharedShare& share,
                                            bool again) {
    if (const auto why = why_invalid(group, count, meta); !why.empty()) return Error{ErrorCode::bad_request, why};
    finish(owner);
    if (auto error = why_too_much(owner, group, count, meta, share->memory)) return *std::move(error);
    const proto::NumberRun run{last_.next(), count};
    proto::Delta delta;
    auto& change = delta.changes.emplace_back();
    change.group = group;
    if (again) change.reason = Reason::moved;
    change.joins.push_back({run.first, count, worker, meta});
    if (auto error = replicas_.why_full(delta)) return *std::move(error);
    last_ = last_.plus(count);
    const std::uint32_t at = make_membership(make_owner(owner, share), make_group(group));
    const Run joined{run.first, static_cast<std::uint32_t>(count), at};
    const Run with_charge{run.first, joined.count, charge_of(meta)};
    memberships_[at].numbers.add(with_charge, [](const Run&) {});
    all_.add(joined, [](const Run&) {});
    charge(owners_[memberships_[at].owner], count, charged(with_charge));
    replicas_.commit(std::move(delta));
    return run;
}

std::optional<Error> LocalMembers::why_too_much(const Owner& owner, const Group& group, std::uint64_t count,
                                                const Meta& meta, const Budget::Account& account) const {
    const Bounds& bounds = ctx_.options.bounds;
    const std::uint32_t known = find_owner(owner);
    const LocalOwner nobody{};
    const LocalOwner& has = known == kNone ? nobody : owners_[known];
    const auto too_much = [](std::size_t bound, const std::string& what) {
        return Error{ErrorCode::overloaded, "one owner may have at most " + std::to_string(bound) + what +
                                                ": leave some first, or join with less"};
    };
    if (has.members + count > bounds.members_per_owner) {
        ctx_.count("joins_refused_members");
        return too_much(bounds.members_per_owner, " members");
    }
    // Every node of the cluster keeps the names of groups. It keeps the metadata of a join once, but sends it with each
    // member, in answers and to watchers.
    const bool new_group = find_membership(known, find_group(replicas_.groups().find(group))) == kNone;
    if (new_group && has.memberships.size() >= bounds.groups_per_owner) {
        ctx_.count("joins_refused_groups");
        return too_much(bounds.groups_per_owner, " groups");
    }
    const std::size_t more = (new_group ? kMembershipBytes + wire_size(group) : 0) +
                             charged(Run{{}, static_cast<std::uint32_t>(count), charge_of(meta)});
    if (has.bytes + more > bounds.bytes_per_owner) {
        ctx_.count("joins_refused_bytes");
        return too_much(bounds.bytes_per_owner,
                        " bytes of groups' names and of metadata, which counts for each member");
    }
    // Members stay for long. So an account may fill only half of its share with them: the rest is for what moves.
    const std::size_t all = account.used() + 2 * (more + static_cast<std::size_t>(count) * kMemberBytes);
    if (!ctx_.memory.has_room(account, all)) {
        ctx_.count("joins_refused_memory");
        return Error{ErrorCode::overloaded, "this node has no memory for that: leave some first, or use another node"};
    }
    return std::nullopt;
}

void LocalMembers::charge(LocalOwner& owner, std::uint64_t members, std::size_t bytes) const {
    owner.members += members;
    owner.bytes += bytes;
    owner.drawn += bytes + static_cast<std::size_t>(members) * kMemberBytes;
}

void LocalMembers::discharge(LocalOwner& owner, std::uint64_t members, std::size_t bytes) const {
    owner.members -= members;
    owner.bytes -= bytes;
    owner.drawn -= bytes + static_cast<std::size_t>(members) * kMemberBytes;
}

std::size_t LocalMembers::bytes_of(GroupRef group) const {
    return kMembershipBytes + wire_size(replicas_.groups().name(group));
}

LocalMembers::Numbers LocalMembers::standing(const Owner& owner, GroupRef group, const Numbers& members) const {
    Numbers wanted = members;
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::erase_if(wanted, [&](MemberNumber number) {
        const Run run = all_.find(number);
        if (run.count == 0) return true;
        const Membership& membership = memberships_[run.tag];
        return groups_[membership.group].ref != group || !is_among(owners_[membership.owner].owner, owner);
    });
    return wanted;
}

LocalMembers::Numbers LocalMembers::latest(const Owner& owner, GroupRef group, std::uint64_t count) const {
    const std::uint32_t in = find_group(group);
    if (in == kNone) return {};
    if (owner != Owner(kAnyHandler)) {
        const std::uint32_t at = find_membership(find_owner(owner), in);
        return at == kNone ? Numbers{} : memberships_[at].numbers.latest(count);
    }
    // The latest of all handlers are among the latest of each.
    Numbers all;
    for (const std::uint32_t at : groups_[in].memberships) {
        if (!is_among(owners_[memberships_[at].owner].owner, owner)) continue;
        const Numbers some = memberships_[at].numbers.latest(count);
        all.insert(all.end(), some.begin(), some.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, all.size())));
    return all;
}

Result<std::vector<MemberNumber>> LocalMembers::leave(const Owner& owner, const Group& group,
                                                      const std::vector<MemberNumber>& members, std::uint64_t count) {
    if (const auto why = why_invalid(group, members.empty() ? count : 1, {}); !why.empty())
        return Error{ErrorCode::bad_request, why};
    const GroupRef ref = replicas_.groups().find(group);
    Numbers leaving = members.empty() ? latest(owner, ref, count) : standing(owner, ref, members);
    if (leaving.empty())
        return Error{ErrorCode::not_joined,
                     "not joined in " + group.store + "/" + group.feature + ": nothing to leave"};
    const auto runs = runs_of(leaving);
    for (const auto& run : runs) remove(run);
    Leaves leaves(replicas_);
    leaves.add(group, Reason::left, runs);
    leaves.commit();
    return leaving;
}

void LocalMembers::remove(const proto::NumberRun& leaving) {
    all_.remove(leaving.first, leaving.first.plus(leaving.count - 1), [&](const Run& piece) {
        Membership& membership = memberships_[piece.tag];
        LocalOwner& had = owners_[membership.owner];
        membership.numbers.remove(piece.first, piece.last(),
                                  [&](const Run& part) { discharge(had, part.count, charged(part)); });
        if (membership.numbers.empty()) drop_membership(piece.tag);
    });
}

void LocalMembers::owner_gone(const Owner& owner, Reason reason) {
    gone_.emplace_back(owner, reason);
    remove_gone();
}

void LocalMembers::flush() {
    work_ = 0;
    remove_gone();
}

void LocalMembers::remove_gone() {
    while (!gone_.empty() && work_ < ctx_.options.bounds.table_work)
        if (remove_all(gone_.front().first, gone_.front().second, ctx_.options.bounds.table_work)) gone_.pop_front();
}

bool LocalMembers::remove_all(const Owner& owner, Reason reason, std::uint64_t most) {
    Leaves leaves(replicas_);
    // The owner's entry goes with its last membership, so it is looked up again each time.
    std::uint32_t at = find_owner(owner);
    for (; at != kNone && work_ < most; at = find_owner(owner)) {
        const Membership& membership = memberships_[owners_[at].memberships.back()];
        const Group group = replicas_.groups().name(groups_[membership.group].ref);
        const auto runs = runs_of(membership.numbers, kRunsAtOnce);
        work_ += kGroupWork;
        for (const auto& run : runs) {
            remove(run);
            work_ += kWireRun + run.count;
        }
        leaves.add(group, reason, runs);
    }
    leaves.commit();
    return at == kNone;
}

void LocalMembers::finish(const Owner& owner) {
    const auto is_owner = [&](const auto& gone) { return gone.first == owner; };
    const auto at = std::find_if(gone_.begin(), gone_.end(), is_owner);
    if (at == gone_.end()) return;
    remove_all(owner, at->second, UINT64_MAX);
    std::erase_if(gone_, is_owner);
}

std::size_t LocalMembers::memory() const {
    std::set<std::uint32_t> owners;
    for (GroupRef ref = 0; ref < replicas_.groups().limit(); ++ref)
        if (const std::uint32_t in = find_group(ref); in != kNone)
            for (const std::uint32_t at : groups_[in].memberships) owners.insert(memberships_[at].owner);
    std::size_t sum = 0;
    for (const std::uint32_t owner : owners) sum += owners_[owner].drawn.amount();
    return sum;
}

void LocalMembers::check_bytes() const {
    std::map<std::uint32_t, std::size_t> bytes;
    for (GroupRef ref = 0; ref < replicas_.groups().limit(); ++ref) {
        const std::uint32_t in = find_group(ref);
        if (in == kNone) continue;
        for (const std::uint32_t at : groups_[in].memberships) {
            const std::uint32_t owner = memberships_[at].owner;
            bytes[owner] += bytes_of(ref);
            memberships_[at].numbers.for_each_run([&](const Run& run) { bytes[owner] += charged(run); });
        }
    }
    for (const auto& [owner, sum] : bytes) {
        MUSTER_CHECK(owners_[owner].bytes == sum);
        MUSTER_CHECK(owners_[owner].drawn.amount() == sum + owners_[owner].members * kMemberBytes);
    }
}

void LocalMembers::check() const {
    std::uint64_t grouped = 0;
    all_.check();
    for (GroupRef ref = 0; ref < replicas_.groups().limit(); ++ref) {
        const std::uint32_t in = find_group(ref);
        if (in == kNone) continue;
        MUSTER_CHECK(!groups_[in].memberships.empty());
        for (const std::uint32_t at : groups_[in].memberships) {
            const Membership& one = memberships_[at];
            one.numbers.check();
            MUSTER_CHECK(!one.numbers.empty() && one.group == in && find_membership(one.owner, in) == at);
            MUSTER_CHECK(owners_[one.owner].memberships[one.in_owner] == at);
            MUSTER_CHECK(groups_[in].memberships[one.in_group] == at);
            one.numbers.for_each_run([&](const Run& run) { MUSTER_CHECK(all_.find(run.first).tag == at); });
            grouped += one.numbers.size();
        }
    }
    check_bytes();
    MUSTER_CHECK(grouped == all_.size() && grouped == replicas_.own().member_count());
}

}  // namespace muster::cluster
