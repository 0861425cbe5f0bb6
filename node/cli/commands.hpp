// The commands of `muster`. Each prints its result and returns the exit status.
#pragma once

#include <muster/worker.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace muster::cli {

/// Part of the interface for scripts; muster(1) documents it.
enum Exit : int { kDone = 0, kRefused = 1, kUsage = 2, kUnreachable = 3, kTimeout = 124 };

/// Options of all commands.
struct Settings {
    std::string nodes;  // "host:port"; several, separated by commas
    std::string scope;
    std::string key;           // path of the own NAME.key; empty: none
    std::string keys;          // folder of trusted keys; empty: none
    bool in_order = false;     // whether `nodes` are tried in the order of the list
    bool listed_only = false;  // whether no other nodes are tried
    bool json = false;         // one JSON object per line instead of text
};

/// When a command that keeps running exits. SIGINT and SIGTERM end it too.
struct Stay {
    std::uint64_t events = 0;  // 0: no limit
    std::optional<double> seconds;
};

struct JoinArguments {
    Group group;
    std::uint64_t count = 1;
    std::vector<std::string> meta;  // "key=value"
    bool visible = false;
    std::string state;  // path of the state file; empty: none
    Stay stay;
};

struct NotifyArguments {
    NotificationKind kind = NotificationKind::created;
    Group group;
    std::string data = "null";  // JSON; "-": read standard input
    bool wait = false;
    std::uint64_t count = 1;
};

struct TopArguments {
    bool once = false;
    double interval = 1;  // seconds between two updates
};

struct KeygenArguments {
    std::string name;
    std::string folder;    // empty: the current folder
    std::string replaces;  // path of the previous NAME.pub; empty: none
};

int show_nodes(const Settings& settings);
int show_groups(const Settings& settings);
int show_status(const Settings& settings);
int top(const Settings& settings, const TopArguments& arguments);
int show_members(const Settings& settings, const Group& group, bool local);
int show_key(const Settings& settings, const Group& group);
int join(const Settings& settings, const JoinArguments& arguments);
int notify(const Settings& settings, const NotifyArguments& arguments);
int forget(const Settings& settings, const std::string& node);
/// Begins or ends the draining of a node. Waits so many `seconds` for its workers to go.
int drain(const Settings& settings, const std::string& node, bool on, double seconds);
int rebalance(const Settings& settings);
/// Both names of `group` empty: all groups.
int watch(const Settings& settings, const Group& group, const Stay& stay);
int keygen(const Settings& settings, const KeygenArguments& arguments);
int diff(const Settings& settings, const std::string& a, const std::string& b);

/// Prints the error in one line on standard error. Returns the exit status for it.
int fail(const Error& error);

/// Connects a worker for one command. The settings override their counterparts in `options`. Errors: as
/// Worker::connect.
Result<std::unique_ptr<Worker>> attach(const Settings& settings, Worker::Options options = {});
/// The same for a command that reads the signals that end it from this descriptor. Such a signal ends the process while
/// it connects, with status 128 + its number.
Result<std::unique_ptr<Worker>> attach(const Settings& settings, Worker::Options options, int signals);

}  // namespace muster::cli
