#include "node/client/watches.hpp"

#include <utility>

namespace muster::client {
namespace {

std::size_t count_members(const WatchEvent& event) {
    std::size_t count = event.groups.size();
    for (const auto& group : event.groups) count += group.members.size();
    return count;
}

}  // namespace

void Watches::add(Watch watch, Group group, std::shared_ptr<WatchHandler> handler) {
    watches_[watch] = Entry{std::move(group), std::move(handler), 0, std::nullopt, 0};
}

std::optional<std::uint64_t> Watches::remove(Watch watch) {
    const auto found = watches_.find(watch);
    if (found == watches_.end()) return std::nullopt;
    const auto number = found->second.number;
    numbers_.erase(number);
    watches_.erase(found);
    return number;
}

const Group* Watches::group_of(Watch watch) const {
    const auto found = watches_.find(watch);
    return found == watches_.end() ? nullptr : &found->second.group;
}

void Watches::requested(Watch watch, std::uint64_t number) {
    Entry& entry = watches_.at(watch);
    entry.number = number;
    numbers_[number] = watch;
}

void Watches::request_failed(Watch watch) {
    const auto found = watches_.find(watch);
    if (found == watches_.end()) return;
    numbers_.erase(found->second.number);
    found->second.number = 0;
}

void Watches::session_ended() {
    numbers_.clear();
    for (auto& [watch, entry] : watches_) {
        entry.number = 0;
        entry.partial.reset();
        entry.members = 0;
    }
}

std::vector<Watch> Watches::absent() const {
    std::vector<Watch> list;
    for (const auto& [watch, entry] : watches_)
        if (entry.number == 0) list.push_back(watch);
    return list;
}

Watches::Taken Watches::take(proto::WatchNews&& part, WatchUpdate& update) {
    const auto number = numbers_.find(part.watch);
    if (number == numbers_.end()) return Taken::nothing;
    Entry& entry = watches_.at(number->second);
    if (entry.handler->in_parts) {
        part.event.continued = entry.partial.has_value();
        part.event.more = !part.last;
        entry.partial.reset();
        if (part.event.more) entry.partial.emplace();
        update = WatchUpdate{entry.handler, std::move(part.event)};
        return Taken::event;
    }
    entry.members += count_members(part.event);
    if (entry.members > kMostMembers) return Taken::too_large;
    if (!entry.partial) {
        entry.partial = std::move(part.event);
    } else {
        proto::append(*entry.partial, std::move(part.event));
    }
    if (!part.last) return Taken::nothing;
    update = WatchUpdate{entry.handler, std::move(*entry.partial)};
    entry.partial.reset();
    entry.members = 0;
    return Taken::event;
}

}  // namespace muster::client
