#include "node/client/rejoins.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "proto/limits.hpp"

namespace muster::client {
namespace {

constexpr std::uint64_t kRestoreTimeoutMs = 5000;
// Of the joins of one request. The rest of the frame is for the positions, which take at most a tenth.
constexpr std::size_t kMostBytes = limits::kFrame / 2;

std::size_t bytes_of(const Meta& meta) {
    std::size_t bytes = 32;
    for (const auto& [key, value] : meta) bytes += key.size() + value.size() + 6;
    return bytes;
}

std::uint64_t ms_between(Instant from, Instant to) {
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(to - std::min(from, to));
    return static_cast<std::uint64_t>(time.count());
}

/// The request that the group's next join goes into.
struct Filling {
    std::size_t index = 0;
    std::uint64_t members = 0;
    std::size_t bytes = 0;
};

}  // namespace

std::vector<Request> handover_requests(const Roster& roster) {
    std::vector<Request> list;
    std::map<Group, Filling> filling;
    for (auto& absent : roster.absent()) {
        const auto bytes = bytes_of(absent.meta);
        const auto [at, is_new] = filling.try_emplace(absent.group);
        Filling& group = at->second;
        if (is_new || group.members + absent.count > limits::kMembersPerCall || group.bytes + bytes > kMostBytes) {
            group = {list.size(), 0, 0};
            proto::RejoinRequest request{absent.group, roster.positions(absent.group), {}, {}, 0};
            list.push_back({{}, {}, Rejoin{absent.group, {}}, std::move(request), {}});
        }
        group.members += absent.count;
        group.bytes += bytes;
        Request& request = list[group.index];
        std::get<proto::RejoinRequest>(request.sent).joins.push_back({absent.count, std::move(absent.meta), 0});
        std::get<Rejoin>(request.purpose).joins.push_back(absent.join);
    }
    return list;
}

std::vector<Request> join_requests(const Roster& roster) {
    std::vector<Request> list;
    for (auto& absent : roster.absent()) {
        proto::JoinRequest join{absent.group, absent.count, std::move(absent.meta), false, kRestoreTimeoutMs};
        list.push_back({{}, {}, Rejoin{std::move(absent.group), {absent.join}}, std::move(join), {}});
    }
    return list;
}

void set_times(proto::Body& request, const Rejoin& rejoin, const Roster& roster, const Former& former, Instant now) {
    auto* again = std::get_if<proto::RejoinRequest>(&request);
    if (again == nullptr || rejoin.joins.empty()) return;
    again->node = former.node;
    again->away_ms = ms_between(former.lost_at, now);
    for (std::size_t i = 0; i < rejoin.joins.size(); ++i)
        again->joins[i].age_ms = ms_between(roster.asked_at(rejoin.joins[i]), now);
}

}  // namespace muster::client
