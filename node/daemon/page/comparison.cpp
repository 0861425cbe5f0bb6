#include "node/daemon/page/comparison.hpp"

#include <muster/ids.hpp>
#include <muster/worker.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "node/daemon/page/digests.hpp"

namespace muster::daemon {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnect{2000};
constexpr milliseconds kSnapshots{10000};
constexpr milliseconds kStep{50};
constexpr milliseconds kSettle{2000};  // for changes under way between the nodes: several heartbeats

/// The name under which the page of this node asks other nodes. With keys, it begins with the name of the node's key.
std::string name_of_page(const std::string& node, bool has_keys) {
    if (!has_keys) return "page-of-" + node.substr(0, 56);
    const std::string name = node + ".page";
    return is_valid_name(name) ? name : node;
}

/// Up to kMostExamples members that are in `those_of` but not in `from`.
std::vector<MemberId> missing(const Members& from, const Members& those_of) {
    std::vector<MemberId> ids;
    // Both are sorted by node name, then number.
    auto other = from.begin();
    const auto is_before = [](const MemberId& a, const MemberId& b) { return a < b; };
    for (const auto& member : those_of) {
        while (other != from.end() && is_before(other->id, member.id)) ++other;
        if (other != from.end() && other->id == member.id) continue;
        ids.push_back(member.id);
        if (ids.size() == Comparison::kMostExamples) break;
    }
    return ids;
}

/// Calls `visit(const Member&)` for the group's members at `node`. In parts, so that the node's thread never waits
/// long.
template <class Visit>
std::optional<Error> visit_members(Node& node, const Group& group, Visit visit) {
    for (std::uint64_t from = 0;;) {
        const auto part = node.members_part(group, from);
        if (!part) return part.error();
        for (const auto& member : part->members) visit(member);
        from += part->members.size();
        if (part->members.empty() || from >= part->total) return std::nullopt;
    }
}

std::optional<Error> read_group(Node& node, const Group& group, Digests& into) {
    Digests::Sum sum;
    auto error = visit_members(node, group, [&](const Member& member) { sum.add(member.id); });
    if (!error) into.put(group, sum);
    return error;
}

std::optional<Error> read_groups(Node& node, Digests& into) {
    for (std::uint64_t from = 0;;) {
        const auto part = node.groups_part(from);
        if (!part) return part.error();
        for (const auto& info : part->groups)
            if (auto error = read_group(node, info.group, into)) return error;
        from = part->next;
        if (from == 0) return std::nullopt;
    }
}

/// The difference in this group now. Empty if the group no longer differs.
Result<std::vector<Comparison::Difference>> find_difference(Node& node, Worker& worker, const Group& group) {
    std::vector<Member> read;
    if (auto error = visit_members(node, group, [&](const Member& member) { read.push_back(member); }))
        return *std::move(error);
    const Members here(std::move(read));
    const auto there = worker.members(group);
    if (!there) return there.error();
    Comparison::Difference difference{group, here.size(), there->size(), missing(*there, here), missing(here, *there)};
    std::vector<Comparison::Difference> found;
    if (!difference.only_here.empty() || !difference.only_there.empty()) found.push_back(std::move(difference));
    return found;
}

}  // namespace

Result<Comparison::Outcome> Comparison::run(const std::string& with) {
    const auto other = find(with);
    if (!other) return other.error();
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return Error{ErrorCode::closed, "this node is stopping"};
        if (running_) return Error{ErrorCode::overloaded, "another comparison is running: try again in some seconds"};
        running_ = true;
    }
    auto outcome = compare(*other);
    const std::lock_guard lock(mutex_);
    running_ = false;
    return outcome;
}

void Comparison::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    closing_.notify_all();
}

bool Comparison::pause(milliseconds time) {
    std::unique_lock lock(mutex_);
    return !closing_.wait_for(lock, time, [&] { return closed_; });
}

Result<NodeInfo> Comparison::find(const std::string& name) {
    const auto views = node_.views();
    if (!views) return views.error();
    std::uint64_t members = 0;
    for (const auto& view : *views) members += view.shown ? view.members : 0;
    if (members > kMostMembers)
        return Error{ErrorCode::overloaded,
                     "the tables have more than " + std::to_string(kMostMembers) + " members: use `muster diff`"};
    const auto found = std::ranges::find(*views, name, [](const NodeView& view) { return view.node.id.name; });
    if (found == views->end() || name == node_.id().name)
        return Error{ErrorCode::bad_request, "no other node has the name \"" + name + "\": choose one of the list"};
    if (found->node.state != NodeState::alive)
        return Error{ErrorCode::bad_request, "node " + name + " is " + std::string(to_string(found->node.state)) +
                                                 ": only a node that is alive can be compared"};
    return found->node;
}

Result<Comparison::Outcome> Comparison::compare(const NodeInfo& other) {
    Worker::Options options;
    options.nodes = {access_.key_file.empty() ? other.address : other.id.name + "@" + other.address};
    options.name = name_of_page(node_.id().name, !access_.key_file.empty());
    options.scope = access_.scope;
    options.key_file = access_.key_file;
    options.keys_dir = access_.keys_dir;
    options.connect_timeout = kConnect;
    auto worker = Worker::connect(std::move(options));
    if (!worker) return worker.error();

    const auto there = std::make_shared<Digests>();
    if (auto watched =
            (*worker)->watch_all([there](const WatchEvent& event) { there->take(event); }, {.in_parts = true});
        !watched)
        return watched.error();
    for (milliseconds waited{}; !there->has_begun(); waited += kStep) {
        if (waited >= kSnapshots)
            return Error{ErrorCode::timeout, "no snapshot within 10 s: check the logs of both nodes"};
        if (!pause(kStep)) return Error{ErrorCode::closed, "this node is stopping"};
    }
    Digests here;
    if (auto error = read_groups(node_, here)) return *std::move(error);
    auto groups = Digests::differing(here, *there);
    for (milliseconds waited{}; !groups.empty() && waited < kSettle; waited += kStep) {
        if (!pause(kStep)) return Error{ErrorCode::closed, "this node is stopping"};
        for (const auto& group : groups)
            if (auto error = read_group(node_, group, here)) return *std::move(error);
        // Keep only groups that differ in every step: others are changes under way.
        const auto still = Digests::differing(here, *there);
        std::erase_if(groups, [&](const Group& group) { return !std::ranges::binary_search(still, group); });
    }
    Outcome outcome{other.id.name, {here.groups(), here.members()}, {there->groups(), there->members()}, 0, {}};
    outcome.differ = groups.size();
    for (const auto& group : groups) {
        if (outcome.differences.size() == kMostGroups) break;
        auto difference = find_difference(node_, **worker, group);
        if (!difference) return difference.error();
        outcome.differ -= difference->empty() ? 1 : 0;
        std::ranges::move(*difference, std::back_inserter(outcome.differences));
    }
    return outcome;
}

}  // namespace muster::daemon
