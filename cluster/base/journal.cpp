#include "cluster/base/journal.hpp"

#include <algorithm>
#include <utility>

namespace muster::cluster {
namespace {

constexpr Duration kShort = std::chrono::seconds(2);
constexpr Duration kLong = std::chrono::minutes(1);

std::chrono::milliseconds age(Instant now, Instant at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(now - at, Duration{}));
}

}  // namespace

Journal::Entry& Journal::add(Ring& ring, Instant now, Change::Kind kind) {
    if (ring.size() >= capacity_) {
        const Change& oldest = ring.front().change;
        const auto found = latest_.find({oldest.kind, oldest.reason, oldest.node});
        if (found != latest_.end() && found->second == oldest.id) latest_.erase(found);
        ring.pop_front();
    }
    Entry& entry = ring.emplace_back();
    entry.first = entry.last = now;
    entry.change.id = ++last_id_;
    entry.change.version = ++version_;
    entry.change.kind = kind;
    return entry;
}

Duration Journal::window(Instant now) const {
    const bool rolls = members_.size() >= capacity_ && now - members_.front().first < kWorthKeeping;
    return rolls ? kLong : kShort;
}

Journal::Entry& Journal::gather(Instant now, Change::Kind kind, Reason reason, const std::string& node) {
    if (!members_.empty()) {  // mostly the youngest of all
        Entry& youngest = members_.back();
        const Change& last = youngest.change;
        if (last.kind == kind && last.reason == reason && last.node == node && now - youngest.first <= window(now)) {
            youngest.last = now;
            youngest.change.version = ++version_;
            return youngest;
        }
    }
    const auto known = latest_.find({kind, reason, node});
    if (known != latest_.end()) {
        const auto entry =
            std::ranges::lower_bound(members_, known->second, {}, [](const Entry& e) { return e.change.id; });
        if (now - entry->first <= window(now)) {
            entry->last = now;
            entry->change.version = ++version_;
            return *entry;
        }
    }
    Entry& entry = add(members_, now, kind);
    entry.change.reason = reason;
    entry.change.node = node;
    latest_[{kind, reason, node}] = entry.change.id;
    return entry;
}

void Journal::node(Instant now, Change::Kind kind, const std::string& node, std::string text) {
    if (!is_kept()) return;
    Change& change = add(nodes_, now, kind).change;
    change.node = node;
    change.text = std::move(text);
}

void Journal::members(Instant now, Change::Kind kind, const std::string& node, Reason reason, const Group& group,
                      std::uint64_t count) {
    if (!is_kept()) return;
    Change& change = gather(now, kind, reason, node).change;
    change.members += count;
    if (std::ranges::find(change.groups, group) != change.groups.end()) return;
    if (change.groups.size() < Change::kExamples)
        change.groups.push_back(group);
    else
        change.more_groups = true;
}

void Journal::worker(Instant now, Change::Kind kind, const std::string& worker, const std::string& text) {
    if (!is_kept()) return;
    Change& change = gather(now, kind, Reason::left, {}).change;
    ++change.members;
    change.text = change.members == 1 && !text.empty() ? worker + ": " + text : worker;
}

std::vector<Change> Journal::since(std::uint64_t version, Instant now) const {
    std::vector<Change> changes;
    for (const Ring* ring : {&nodes_, &members_}) {
        for (const Entry& entry : *ring) {
            if (entry.change.version <= version) continue;
            Change& change = changes.emplace_back(entry.change);
            change.age = age(now, entry.first);
            change.last_age = age(now, entry.last);
        }
    }
    std::ranges::sort(changes, {}, &Change::id);
    return changes;
}

}  // namespace muster::cluster
