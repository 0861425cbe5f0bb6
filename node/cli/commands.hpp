// The commands of `muster`. Each prints its answer and returns the exit status.
#pragma once

#include <muster/worker.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace muster::cli {

enum Exit : int { kDone = 0, kRefused = 1, kUsage = 2, kUnreachable = 3, kTimeout = 124 };

/// What holds for every command.
struct Settings {
    std::string nodes;  // "host:port", or several with commas
    std::string scope;
    std::string key;    // the command's own NAME.key; empty: none
    std::string keys;   // folder of trusted keys; empty: none
    bool json = false;  // one object a line, instead of text for people
};

/// Until when a command that stays goes on.
struct Stay {
    std::uint64_t events = 0;  // 0: no matter how many
    std::optional<double> seconds;
};

struct JoinArguments {
    Group group;
    std::uint64_t count = 1;
    std::vector<std::string> meta;  // "key=value"
    bool visible = false;
    std::string state;  // file; empty: none
    Stay stay;
};

struct NotifyArguments {
    NotificationKind kind = NotificationKind::created;
    Group group;
    std::string data = "null";  // JSON, or "-": standard input
    bool wait = false;
    std::uint64_t count = 1;
};

struct TopArguments {
    bool once = false;
    double interval = 1;  // seconds between two looks
};

struct KeygenArguments {
    std::string name;
    std::string folder;    // empty: where one is
    std::string replaces;  // NAME.pub whose keys are accepted, too; empty: none
};

int show_nodes(const Settings& settings);
int show_groups(const Settings& settings);
int show_status(const Settings& settings);
int top(const Settings& settings, const TopArguments& arguments);
int show_members(const Settings& settings, const Group& group, bool local);
int show_key(const Settings& settings, const Group& group);
int join(const Settings& settings, const JoinArguments& arguments);
int notify(const Settings& settings, const NotifyArguments& arguments);
/// Both names empty: every group.
int watch(const Settings& settings, const Group& group, const Stay& stay);
int keygen(const Settings& settings, const KeygenArguments& arguments);
int diff(const Settings& settings, const std::string& a, const std::string& b);

/// Prints the one line of an error; returns its exit status.
int fail(const Error& error);

/// A worker for one command. `options` brings what the settings do not say.
Result<std::unique_ptr<Worker>> attach(const Settings& settings, Worker::Options options = {});

}  // namespace muster::cli
