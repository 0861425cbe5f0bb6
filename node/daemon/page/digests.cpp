#include "node/daemon/page/digests.hpp"

#include <functional>
#include <string>

namespace muster::daemon {
namespace {

std::uint64_t mix(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/// std::hash is comparable only within one process. Both tables are in this one.
std::uint64_t digest_of(const MemberId& id) {
    const std::uint64_t node = std::hash<std::string>{}(id.node.name) + mix(id.node.incarnation.value);
    return mix(mix(node) + id.number.value);
}

}  // namespace

void Digests::Sum::add(const MemberId& id) {
    ++members;
    digest += digest_of(id);
}

void Digests::put(const Group& group, const Sum& sum) {
    const std::lock_guard lock(mutex_);
    if (sum.members == 0)
        table_.erase(group);
    else
        table_[group] = sum;
}

void Digests::take(const WatchEvent& event) {
    const std::lock_guard lock(mutex_);
    if (event.kind == WatchEvent::Kind::snapshot) {
        if (!event.continued) table_.clear();
        begun_ = !event.more;
    }
    const bool leaves = event.kind == WatchEvent::Kind::leave;
    for (const auto& [group, members] : event.groups) {
        Sum& sum = table_[group];
        for (const auto& member : members) {
            sum.members += leaves ? std::uint64_t{0} - 1 : 1;
            sum.digest += leaves ? std::uint64_t{0} - digest_of(member.id) : digest_of(member.id);
        }
        if (sum.members == 0) table_.erase(group);
    }
}

bool Digests::has_begun() const {
    const std::lock_guard lock(mutex_);
    return begun_;
}

std::uint64_t Digests::groups() const {
    const std::lock_guard lock(mutex_);
    return table_.size();
}

std::uint64_t Digests::members() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t members = 0;
    for (const auto& [group, sum] : table_) members += sum.members;
    return members;
}

std::vector<Group> Digests::differing(const Digests& a, const Digests& b) {
    const std::scoped_lock lock(a.mutex_, b.mutex_);
    std::vector<Group> groups;
    auto in_a = a.table_.begin();
    auto in_b = b.table_.begin();
    while (in_a != a.table_.end() || in_b != b.table_.end()) {
        if (in_b == b.table_.end() || (in_a != a.table_.end() && in_a->first < in_b->first)) {
            groups.push_back(in_a++->first);
        } else if (in_a == a.table_.end() || in_b->first < in_a->first) {
            groups.push_back(in_b++->first);
        } else {
            if (in_a->second != in_b->second) groups.push_back(in_a->first);
            ++in_a, ++in_b;
        }
    }
    return groups;
}

}  // namespace muster::daemon
