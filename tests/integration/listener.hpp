// Who listens at a node of a cluster, through the command line tool: workers
// that have joined, and watchers; and what they were told.
//
// The group is always orders/subscriptions. Failures are GoogleTest failures.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/cluster.hpp"

namespace muster::test {

using Json = nlohmann::json;

bool is_event(const std::string& line, const std::string& event);

/// A `muster` that stays.
class Listener {
public:
    explicit Listener(std::unique_ptr<Process> process) : process_(std::move(process)) {}
    Process* operator->() const { return process_.get(); }
    /// The next line with this event after those already taken; null when it did not come.
    Json wait_for(const std::string& event, milliseconds timeout = kPatience) const;

private:
    std::unique_ptr<Process> process_;
};

/// A worker of node `node` whose members every live node has; `more` as for `muster join`.
Listener join(const Cluster& cluster, std::size_t node, std::vector<std::string> more = {});
/// A watcher of everything that has its snapshot.
Listener watch(const Cluster& cluster, std::size_t node);

/// The last line that a command which ends has printed.
Json last_line(const Finished& done);
Json ask(const Cluster& cluster, std::size_t node, const std::vector<std::string>& arguments);
/// `muster notify created` of the group; `more` as for it. Returns the report.
Json notify(const Cluster& cluster, std::size_t node, const std::string& data, std::vector<std::string> more = {});
/// As `muster members` has them.
Json members(const Cluster& cluster, std::size_t node);

using Ids = std::set<std::string>;
Ids operator+(Ids left, const Ids& right);
/// The members that node `node` knows.
Ids table(const Cluster& cluster, std::size_t node);

/// The members that the worker was told it has.
Ids ids(const Listener& worker);

/// What a watcher was told so far.
struct Told {
    Ids table;  // the snapshot with all events applied
    /// By member, in order: "there" (in the snapshot), "join", or the reason of a leave.
    std::map<std::string, std::string> story;
    /// Joins of who was there and leaves of who was not; empty when all is well.
    std::vector<std::string> contradictions;
};
Told told(const Listener& watcher);

/// What a worker got so far, in order: "NODE#SEQ DATA" of a notification, where a node numbers all that it is
/// told to notify from 1, and "gap N" of a gap.
std::vector<std::string> received(const Listener& worker);

/// Asks again and again until it holds; false when it did not in time.
bool eventually(const std::function<bool()>& holds, milliseconds timeout = kPatience);

}  // namespace muster::test
