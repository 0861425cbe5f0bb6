#include "cluster/base/journal.hpp"

#include <algorithm>
#include <utility>

namespace muster::cluster {
namespace {

constexpr Duration kShortWindow = std::chrono::seconds(2);
constexpr Duration kLongWindow = std::chrono::minutes(1);

std::chrono::milliseconds age(Instant now, Instant at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(now - at, Duration{}));
}

}  // namespace

Journal::Entry& Journal::append(Ring& ring, Instant now, Change::Kind kind) {
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
    const bool covers_little = members_.size() >= capacity_ && now - members_.front().first < kMinCovered;
    return covers_little ? kLongWindow : kShortWindow;
}

Journal::Entry& Journal::find_or_append(Instant now, Change::Kind kind, Reason reason, const std::string& node) {
    const auto extend = [&](Entry& entry) -> Entry& {
        entry.last = now;
        entry.change.version = ++version_;
        return entry;
    };
    if (!members_.empty()) {  // the usual case, without a search
        Entry& latest = members_.back();
        const Change& change = latest.change;
        const bool same_key = change.kind == kind && change.reason == reason && change.node == node;
        if (same_key && now - latest.first <= window(now)) return extend(latest);
    }
    const auto known = latest_.find({kind, reason, node});
    if (known != latest_.end()) {
        const auto entry = std::lower_bound(members_.begin(), members_.end(), known->second,
                                            [](const Entry& e, auto id) { return e.change.id < id; });
        if (now - entry->first <= window(now)) return extend(*entry);
    }
    Entry& entry = append(members_, now, kind);
    entry.change.reason = reason;
    entry.change.node = node;
    latest_[{kind, reason, node}] = entry.change.id;
    return entry;
}

void Journal::node(Instant now, Change::Kind kind, const std::string& node, std::string text) {
    if (!is_enabled()) return;
    Change& change = append(nodes_, now, kind).change;
    change.node = node;
    change.text = std::move(text);
}

void Journal::members(Instant now, Change::Kind kind, const std::string& node, Reason reason, const Group& group,
                      std::uint64_t count) {
    if (!is_enabled()) return;
    Change& change = find_or_append(now, kind, reason, node).change;
    change.members += count;
    if (std::find(change.groups.begin(), change.groups.end(), group) != change.groups.end()) return;
    if (change.groups.size() < Change::kExamples)
        change.groups.push_back(group);
    else
        change.more_groups = true;
}

void Journal::worker(Instant now, Change::Kind kind, const std::string& worker, const std::string& text) {
    if (!is_enabled()) return;
    Change& change = find_or_append(now, kind, Reason::left, {}).change;
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
    std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.id < b.id; });
    return changes;
}

}  // namespace muster::cluster
