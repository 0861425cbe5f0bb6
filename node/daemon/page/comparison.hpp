// This node's table of groups against another node's, which is asked at its own front door.
#pragma once

#include <muster/node.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace muster::daemon {

/// With what the other node is asked: as musterd's own settings.
struct Access {
    std::string scope;
    std::string key_file;
    std::string keys_dir;
};

/// Both tables are watched for a moment, and compared by a digest of each group's members, so that what is only on its
/// way between the nodes is no difference. It costs both nodes a snapshot of their tables, as `muster diff` does: one
/// runs at a time, and none with more than kMostMembers. Any thread.
class Comparison {
public:
    static constexpr std::uint64_t kMostMembers = 1'000'000;
    static constexpr std::size_t kMostGroups = 20;   // that differ, told one by one
    static constexpr std::size_t kMostExamples = 5;  // members of each that only one side has

    /// `node` outlives it.
    Comparison(Node& node, Access access) : node_(node), access_(std::move(access)) {}

    struct Table {
        std::uint64_t groups = 0;
        std::uint64_t members = 0;
    };
    struct Difference {
        Group group;
        std::uint64_t here = 0;  // members
        std::uint64_t there = 0;
        std::vector<MemberId> only_here;  // the first kMostExamples
        std::vector<MemberId> only_there;
    };
    struct Outcome {
        std::string with;
        Table here;
        Table there;
        std::size_t differ = 0;               // groups
        std::vector<Difference> differences;  // the first kMostGroups, by name
    };
    /// Some hundred milliseconds when the tables are equal, some seconds when they are not.
    /// Errors: bad_request (no such other node, or it is not alive), overloaded (another comparison is under way, or
    /// the tables are too large), unreachable, timeout, closed, and what the other node says.
    Result<Outcome> run(const std::string& with);
    /// The one that is under way ends soon, and no other begins.
    void close();

private:
    Result<Outcome> compare(const NodeInfo& other);
    Result<NodeInfo> find(const std::string& name);
    /// False when it was closed meanwhile.
    bool pause(std::chrono::milliseconds time);

    Node& node_;
    const Access access_;
    std::mutex mutex_;
    std::condition_variable closing_;
    bool running_ = false;
    bool closed_ = false;
};

}  // namespace muster::daemon
