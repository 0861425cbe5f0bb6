// Three hosts at work, for tests of what happens between them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/hosts.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {

using std::chrono::seconds;
using Strings = std::vector<std::string>;

inline constexpr std::size_t a = 0;
inline constexpr std::size_t b = 1;
inline constexpr std::size_t c = 2;
inline constexpr std::size_t kHosts[] = {a, b, c};

/// More than three times the time after which a silent host is down, by design: nothing may happen for so long.
inline constexpr seconds kQuiet{8};
/// Longer than that time: a heal that is done is not undone.
inline constexpr seconds kAfterHeal{3};

/// On each host a node, a worker that stays, and a watcher that had all three
/// workers in its snapshot. Skipped, aloud, where hosts cannot be made. What is
/// measured is printed, since bounds are far from it on purpose.
class ThreeHosts : public testing::Test {
protected:
    void SetUp() override;
    void TearDown() override;

    /// The member of the worker that stays.
    Ids of(std::size_t host) const { return ids(workers_[host]); }
    /// What the watcher of a host was told about this one member; see Told::story.
    std::string story(std::size_t watcher, const Ids& member) const;

    void start_clock() { since_ = Clock::now(); }
    [[nodiscard]] milliseconds elapsed() const;
    /// Prints how long after start_clock() that was.
    void say(const std::string& what) const;

    /// Waits until the watchers of these hosts have been told that the tables are these.
    void await_told(std::map<std::size_t, Ids> tables, const std::string& what);
    /// The same table at all hosts.
    void await_told(const Ids& table, const std::string& what);
    /// Waits until the kernel of `host` has TCP connections to `other`, or none.
    void await_connections(std::size_t host, std::size_t other, bool wanted);

    /// All watchers and all nodes come to have this table, and nobody was told what cannot be.
    void expect_settled(const Ids& table, const std::string& what);
    /// One notification from each host reaches so many members.
    void expect_all_reached(const std::string& data, std::size_t members);
    /// No watcher is told anything for so long from now.
    void expect_quiet(seconds time);
    /// Whether a watcher was told anything after its snapshot.
    [[nodiscard]] bool is_anything_told() const;
    void expect_nothing_told();

    std::optional<Hosts> hosts_;
    std::optional<Cluster> cluster_;
    std::vector<Listener> workers_;
    std::vector<Listener> watchers_;
    Ids everyone_;

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point since_ = Clock::now();
};

}  // namespace muster::test
