#include "node/client/number_runs.hpp"

#include <algorithm>

#include "proto/limits.hpp"

namespace muster::client {

std::vector<MemberNumber> expand(const std::vector<proto::NumberRun>& runs) {
    std::vector<MemberNumber> numbers;
    for (const auto& run : runs)
        for (std::uint64_t i = 0; i < run.count && numbers.size() < limits::kMembersPerCall; ++i)
            numbers.push_back(run.first.plus(i));
    return numbers;
}

bool has_run_for_each(const proto::RejoinRequest& request, const proto::JoinReply& reply) {
    return std::equal(request.joins.begin(), request.joins.end(), reply.members.begin(), reply.members.end(),
                      [](const auto& join, const auto& run) { return join.count == run.count; });
}

std::vector<proto::NumberRun> runs_of(const std::set<MemberNumber>& numbers) {
    std::vector<proto::NumberRun> runs;
    for (const auto number : numbers) {
        if (!runs.empty() && runs.back().first.plus(runs.back().count) == number)
            ++runs.back().count;
        else
            runs.push_back({number, 1});
    }
    return runs;
}

}  // namespace muster::client
