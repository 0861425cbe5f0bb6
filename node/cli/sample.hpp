// What `muster top` asks a node for, and what two answers tell together.
#pragma once

#include <muster/worker.hpp>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace muster::cli {

struct Sample {
    using Clock = std::chrono::steady_clock;

    Clock::time_point at;
    Status status;
    std::vector<NodeInfo> nodes;
    std::vector<GroupInfo> groups;
};

/// Errors: as the worker's calls.
Result<Sample> take_sample(Worker& worker);

/// Of one node's life: what it counted since an earlier sample, and how members changed.
class Rates {
public:
    /// Without an earlier sample of the same node's same life nothing is known.
    Rates(const Sample* before, const Sample& now);

    [[nodiscard]] bool are_known() const { return seconds_ > 0; }
    /// A second, of all of these counters together.
    [[nodiscard]] double of(const std::vector<std::string>& counters) const;
    /// Members that came, less those that left, a second.
    [[nodiscard]] double of(const GroupInfo& group) const;

private:
    const Sample& now_;
    const Sample* before_ = nullptr;
    double seconds_ = 0;
    std::map<Group, std::uint64_t> members_;  // before
};

/// Since when each node has been in its state, as far as it was watched.
class StateAges {
public:
    void take(const Sample& sample);
    struct Age {
        std::chrono::seconds age{};
        bool at_least = false;  // it was so when the watching began
    };
    [[nodiscard]] Age of(const NodeInfo& node, Sample::Clock::time_point now) const;

private:
    struct Since {
        NodeId id;
        NodeState state = NodeState::alive;
        Sample::Clock::time_point at;
        bool from_the_start = false;
    };
    std::map<std::string, Since> since_;
    bool began_ = false;
};

}  // namespace muster::cli
