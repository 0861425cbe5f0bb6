// What `muster top` requests from a node, and what follows from two samples.
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

/// Rates between two samples of the same incarnation of a node.
class Rates {
public:
    /// No rates are known if `before` is null, or is of another node or incarnation.
    Rates(const Sample* before, const Sample& now);

    [[nodiscard]] bool are_known() const { return seconds_ > 0; }
    /// The sum of these counters' increases per second. 0 if not known.
    [[nodiscard]] double of(const std::vector<std::string>& counters) const;
    /// The change of the number of members per second; negative if it fell. 0 if not known.
    [[nodiscard]] double of(const GroupInfo& group) const;

private:
    const Sample& now_;
    const Sample* before_ = nullptr;
    double seconds_ = 0;
    std::map<Group, std::uint64_t> members_;  // in the earlier sample
};

/// How long each node has been in its state, as far as it was observed.
class StateAges {
public:
    void take(const Sample& sample);
    struct Age {
        std::chrono::seconds age{};
        bool at_least = false;  // the node was already in this state in the first sample
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
