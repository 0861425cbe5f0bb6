#include "cluster/member_list.hpp"

#include <algorithm>

#include "cluster/check.hpp"
#include "cluster/random.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

std::uint64_t hash_text(std::uint64_t seed, const std::string& text) {
    for (const char c : text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3u;  // FNV-1a
    return mix64(seed ^ text.size());
}

std::uint64_t hash_owner(const std::string& worker, const Meta& meta) {
    std::uint64_t hash = hash_text(0xcbf29ce484222325u, worker);
    for (const auto& [key, value] : meta) hash = hash_text(hash_text(hash, key), value);
    return hash;
}

auto lower_bound(const std::vector<Entry>& entries, MemberNumber number) {
    return std::lower_bound(entries.begin(), entries.end(), number,
                            [](const Entry& entry, MemberNumber n) { return entry.number < n; });
}

}  // namespace

OwnerRef OwnerTable::acquire(const std::string& worker, const Meta& meta, std::uint64_t uses) {
    const auto [place, fresh] = by_key_.try_emplace({worker, meta}, 0);
    if (fresh) {
        if (free_.empty()) {
            place->second = static_cast<OwnerRef>(slots_.size());
            slots_.emplace_back();
        } else {
            place->second = free_.back();
            free_.pop_back();
        }
        slots_[place->second] = {place, hash_owner(worker, meta), 0};
    }
    slots_[place->second].uses += uses;
    return place->second;
}

void OwnerTable::release(OwnerRef ref, std::uint64_t uses) {
    Slot& slot = slots_[ref];
    MUSTER_CHECK(slot.uses >= uses);
    slot.uses -= uses;
    if (slot.uses > 0) return;
    by_key_.erase(slot.place);
    slot = {};
    free_.push_back(ref);
}

bool MemberList::add(Entry entry) {
    if (entries_.empty() || entries_.back().number < entry.number) {
        entries_.push_back(entry);
        return true;
    }
    const auto at = lower_bound(entries_, entry.number);
    if (at != entries_.end() && at->number == entry.number) return false;
    entries_.insert(at, entry);
    return true;
}

bool MemberList::remove(MemberNumber number, OwnerRef& owner) {
    const auto at = lower_bound(entries_, number);
    if (at == entries_.end() || at->number != number) return false;
    owner = at->owner;
    entries_.erase(at);
    return true;
}

bool MemberList::contains(MemberNumber number) const {
    const auto at = lower_bound(entries_, number);
    return at != entries_.end() && at->number == number;
}

std::vector<proto::JoinRun> runs_of(const std::vector<Entry>& entries, const OwnerTable& owners) {
    std::vector<proto::JoinRun> runs;
    OwnerRef last = 0;
    for (const Entry& entry : entries) {
        const bool goes_on = !runs.empty() && last == entry.owner && runs.back().count < limits::kMembersPerCall &&
                             runs.back().first.plus(runs.back().count) == entry.number;
        if (goes_on) {
            ++runs.back().count;
        } else {
            runs.push_back({entry.number, 1, owners.worker(entry.owner), owners.meta(entry.owner)});
            last = entry.owner;
        }
    }
    return runs;
}

std::vector<proto::NumberRun> runs_of(const std::vector<MemberNumber>& numbers) {
    std::vector<proto::NumberRun> runs;
    for (const MemberNumber number : numbers) {
        const bool goes_on = !runs.empty() && runs.back().count < limits::kMembersPerCall &&
                             runs.back().first.plus(runs.back().count) == number;
        if (goes_on)
            ++runs.back().count;
        else
            runs.push_back({number, 1});
    }
    return runs;
}

}  // namespace muster::cluster
