#include "node/cli/sample.hpp"

#include <algorithm>

namespace muster::cli {

Result<Sample> take_sample(Worker& worker) {
    auto status = worker.status();
    if (!status) return status.error();
    auto nodes = worker.nodes();
    if (!nodes) return nodes.error();
    auto groups = worker.groups();
    if (!groups) return groups.error();
    return Sample{Sample::Clock::now(), *std::move(status), *std::move(nodes), *std::move(groups)};
}

Rates::Rates(const Sample* before, const Sample& now) : now_(now) {
    if (before == nullptr || before->status.node.id != now.status.node.id || now.at <= before->at) return;
    before_ = before;
    seconds_ = std::chrono::duration<double>(now.at - before->at).count();
    for (const auto& [group, members] : before->groups) members_.emplace(group, members);
}

double Rates::of(const std::vector<std::string>& counters) const {
    if (before_ == nullptr) return 0;
    const auto value = [](const Sample& sample, const std::string& counter) {
        const auto found = sample.status.counters.find(counter);
        return found == sample.status.counters.end() ? 0.0 : static_cast<double>(found->second);
    };
    double sum = 0;
    for (const auto& counter : counters) sum += std::max(0.0, value(now_, counter) - value(*before_, counter));
    return sum / seconds_;
}

double Rates::of(const GroupInfo& group) const {
    if (before_ == nullptr) return 0;
    const auto found = members_.find(group.group);
    const auto before = found == members_.end() ? 0.0 : static_cast<double>(found->second);
    return (static_cast<double>(group.members) - before) / seconds_;
}

void StateAges::take(const Sample& sample) {
    std::map<std::string, Since> since;
    for (const auto& node : sample.nodes) {
        const auto known = since_.find(node.id.name);
        const bool same = known != since_.end() && known->second.id == node.id && known->second.state == node.state;
        since.emplace(node.id.name, same ? known->second : Since{node.id, node.state, sample.at, !began_});
    }
    since_ = std::move(since);
    began_ = true;
}

StateAges::Age StateAges::of(const NodeInfo& node, Sample::Clock::time_point now) const {
    const auto known = since_.find(node.id.name);
    if (known == since_.end()) return {};
    return {std::chrono::duration_cast<std::chrono::seconds>(now - known->second.at), known->second.from_the_start};
}

}  // namespace muster::cli
