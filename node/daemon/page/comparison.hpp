// Compares this node's table of groups with that of another node.
#pragma once

#include <muster/node.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace muster::daemon {

/// How to connect to the other node: musterd's own settings.
struct Access {
    std::string scope;
    std::string key_file;
    std::string keys_dir;
};

/// Connects as a worker to the other node's front door and watches its table for a moment, while it reads this node's
/// own in small parts. It compares a digest of each group's members, and reports only groups that differ all the time:
/// changes that are still travelling between the nodes are not differences. Each comparison costs both nodes a walk
/// over their tables, like `muster diff`. So only one runs at a time, and none if there are more than kMostMembers. Any
/// thread.
class Comparison {
public:
    static constexpr std::uint64_t kMostMembers = 1'000'000;
    static constexpr std::size_t kMostGroups = 20;   // differing groups in `differences`
    static constexpr std::size_t kMostExamples = 5;  // members of each that only one side has

    /// `node` must outlive it.
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
        std::size_t differ = 0;               // number of differing groups
        std::vector<Difference> differences;  // the first kMostGroups, by name
    };
    /// Blocks: some hundred milliseconds if the tables are equal, some seconds if not.
    /// Errors: bad_request (no such other node, or it is not alive), overloaded (another comparison is running, or the
    /// tables are too large), unreachable, timeout, closed, and the errors of the other node.
    Result<Outcome> run(const std::string& with);
    /// Makes a running comparison end soon. Later ones fail with `closed`.
    void close();

private:
    Result<Outcome> compare(const NodeInfo& other);
    Result<NodeInfo> find(const std::string& name);
    /// False if it was closed meanwhile.
    bool pause(std::chrono::milliseconds time);

    Node& node_;
    const Access access_;
    std::mutex mutex_;
    std::condition_variable closing_;
    bool running_ = false;
    bool closed_ = false;
};

}  // namespace muster::daemon
