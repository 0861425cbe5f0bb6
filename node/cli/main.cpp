// Parses the command line and calls one command.
#include <CLI/CLI.hpp>

#include <charconv>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <system_error>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/io/shortage.hpp"
#include "node/io/standard_streams.hpp"
#include "proto/validate.hpp"

namespace muster::cli {
namespace {

constexpr double kDrainPatience = 30;  // seconds

/// The arguments of all commands, and the chosen command.
struct Typed {
    Settings settings;
    Group group;
    bool local = false;
    JoinArguments join;
    std::string kind;
    NotifyArguments notify;
    Stay stay;
    KeygenArguments keygen;
    TopArguments top;
    std::string node;
    double patience = kDrainPatience;
    std::string node_a;
    std::string node_b;
    std::function<int()> run;
};

constexpr std::uint64_t kOne = 1;
constexpr std::uint64_t kMembers = 65536;  // limit of one join call
constexpr std::uint64_t kMost = 1'000'000'000'000;

const std::map<std::string, NotificationKind>& kinds() {
    static const std::map<std::string, NotificationKind> kinds = {{"created", NotificationKind::created},
                                                                  {"updated", NotificationKind::updated},
                                                                  {"deleted", NotificationKind::deleted}};
    return kinds;
}

void add_group(CLI::App& command, Group& group, bool required = true) {
    command.add_option("STORE", group.store, "name of the store")
        ->required(required)
        ->check([](const std::string& text) {
            return proto::why_invalid(Group{text, "x"});
        });
    command.add_option("FEATURE", group.feature, "name of the feature: subscriptions, streams, snapshots or any other")
        ->required(required)
        ->check([](const std::string& text) {
            return proto::why_invalid(Group{"x", text});
        });
}

/// A number within bounds, in decimal digits: CLI11 would read 010 as 8.
CLI::Validator whole(std::uint64_t least, std::uint64_t most) {
    const auto bounds = std::to_string(least) + " - " + std::to_string(most);
    const auto read = [least, most, bounds](std::string& text) -> std::string {
        std::uint64_t value = 0;
        const auto* const end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, value);
        if (parsed.ec != std::errc{} || parsed.ptr != end || value < least || value > most)
            return "'" + text + "' is not a number in " + bounds;
        text = std::to_string(value);
        return {};
    };
    return CLI::Validator(read, "in [" + bounds + "]");
}

/// A number within bounds. CLI::Range lets NaN pass.
auto seconds(double least, double most) {
    return [least, most](const std::string& text) -> std::string {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return {};
        std::ostringstream why;
        why << "'" << text << "' is not a number of seconds from " << least << " to " << most;
        return why.str();
    };
}

void add_stay(CLI::App& command, Stay& stay, const std::string& what) {
    command.add_option("--for", stay.events, "exit after so many " + what)->transform(whole(kOne, kMost));
    command
        .add_option("--timeout", stay.seconds, "exit so many seconds after it has joined or watches, with status 124")
        ->check(seconds(0.0, 1e8));
}

void add_settings(CLI::App& app, Settings& settings) {
    app.add_option("--node", settings.nodes,
                   "node to connect to: HOST:PORT or NAME@HOST:PORT; several, separated by commas")
        ->envname("MUSTER_NODE")
        ->default_val("127.0.0.1:7100");
    app.add_option("--scope", settings.scope, "scope of the cluster")->envname("MUSTER_SCOPE")->default_val("default");
    app.add_option("--key", settings.key, "your own NAME.key, made by muster keygen; requires --keys")
        ->envname("MUSTER_KEY");
    app.add_option("--keys", settings.keys, "folder with nodes/NAME.pub of the trusted nodes; requires --key")
        ->envname("MUSTER_KEYS");
    app.add_flag("--in-order", settings.in_order,
                 "try the nodes of --node in the order of the list, not in random order");
    app.add_flag("--listed-only", settings.listed_only,
                 "never attach to a node that --node does not name, after one was lost");
    app.add_flag("--json", settings.json, "print one JSON object per line");
    app.require_subcommand(1);
    app.fallthrough();  // these options are also accepted after the command
}

void add_queries(CLI::App& app, Typed& typed) {
    const auto& settings = typed.settings;
    app.add_subcommand("nodes", "list the nodes of the cluster and their states")->callback([&] {
        typed.run = [&] { return show_nodes(settings); };
    });
    app.add_subcommand("groups", "list the groups that have members")->callback([&] {
        typed.run = [&] { return show_groups(settings); };
    });
    app.add_subcommand("status", "print the state of the node and its counters")->callback([&] {
        typed.run = [&] { return show_status(settings); };
    });
    auto* members = app.add_subcommand("members", "list the members of a group");
    add_group(*members, typed.group);
    members->add_flag("--local", typed.local, "only members at the node that muster is connected to");
    members->callback([&] { typed.run = [&] { return show_members(settings, typed.group, typed.local); }; });
    auto* key = app.add_subcommand("key", "print the key of a group (connects to no node)");
    add_group(*key, typed.group);
    key->callback([&] { typed.run = [&] { return show_key(settings, typed.group); }; });
    auto* difference = app.add_subcommand("diff", "print the differences between the tables of two nodes");
    difference->add_option("NODE_A", typed.node_a, "HOST:PORT, or the name of a node")->required();
    difference->add_option("NODE_B", typed.node_b, "HOST:PORT, or the name of a node")->required();
    difference->callback([&] { typed.run = [&] { return diff(settings, typed.node_a, typed.node_b); }; });
}

void add_administration(CLI::App& app, Typed& typed) {
    const auto& settings = typed.settings;
    auto* forget = app.add_subcommand("forget", "make all nodes forget a node that is down or has left");
    forget->add_option("NODE", typed.node, "name of the node")->required();
    forget->callback([&] { typed.run = [&] { return cli::forget(settings, typed.node); }; });
    auto* drain = app.add_subcommand("drain", "ask the workers of a node to go to other nodes, and wait for it");
    drain->add_option("NODE", typed.node, "HOST:PORT, or the name of a node")->required();
    drain->add_option("--timeout", typed.patience, "seconds to wait (default 30); then the exit status is 124")
        ->check(seconds(0.0, 1e8));
    drain->callback([&] { typed.run = [&] { return cli::drain(settings, typed.node, true, typed.patience); }; });
    auto* undrain = app.add_subcommand("undrain", "end the draining of a node");
    undrain->add_option("NODE", typed.node, "HOST:PORT, or the name of a node")->required();
    undrain->callback([&] { typed.run = [&] { return cli::drain(settings, typed.node, false, 0); }; });
    app.add_subcommand("rebalance", "spread workers evenly: ask some to go to the nodes that have fewest")
        ->callback([&] { typed.run = [&] { return rebalance(settings); }; });
}

void add_join(CLI::App& app, Typed& typed) {
    auto* command = app.add_subcommand("join", "join a group and print each notification until stopped");
    add_group(*command, typed.join.group);
    command->add_option("--count", typed.join.count, "number of members to make")->transform(whole(kOne, kMembers));
    command->add_option("--meta", typed.join.meta, "metadata of the members: KEY=VALUE; may be given more than once")
        ->allow_extra_args(false);
    command->add_flag("--visible", typed.join.visible, "report the join only when every live node has the members");
    command->add_option("--state", typed.join.state,
                        "file for the session: the same command, started again after a kill, continues without a gap");
    add_stay(*command, typed.join.stay, "notifications");
    command->callback([&] { typed.run = [&] { return join(typed.settings, typed.join); }; });
}

void add_notify(CLI::App& app, Typed& typed) {
    auto* command = app.add_subcommand("notify", "notify all members of a group");
    command->add_option("KIND", typed.kind, "created, updated or deleted")
        ->required()
        ->check(CLI::IsMember({"created", "updated", "deleted"}));
    add_group(*command, typed.notify.group);
    command->add_option("DATA", typed.notify.data, "JSON, or - for standard input (default null)");
    command->add_flag("--wait", typed.notify.wait, "wait until all members have acknowledged it");
    command->add_option("--count", typed.notify.count, "number of notifications to send, one after the other")
        ->transform(whole(kOne, kMost));
    command->callback([&] {
        typed.notify.kind = kinds().at(typed.kind);
        typed.run = [&] { return notify(typed.settings, typed.notify); };
    });
}

void add_watch(CLI::App& app, Typed& typed) {
    auto* command =
        app.add_subcommand("watch", "print the members of a group, or of all groups, then each join and leave");
    add_group(*command, typed.group, false);
    add_stay(*command, typed.stay, "joins and leaves");
    command->callback([&] {
        if (typed.group.store.empty() != typed.group.feature.empty())
            throw CLI::ValidationError("watch", "give both STORE and FEATURE, or neither to watch all groups");
        typed.run = [&] { return watch(typed.settings, typed.group, typed.stay); };
    });
}

void add_keygen(CLI::App& app, Typed& typed) {
    auto* command =
        app.add_subcommand("keygen", "make a key pair: NAME.key, which is secret, and NAME.pub (connects to no node)");
    command->add_option("NAME", typed.keygen.name, "name of the node, worker, observer or operator")->required();
    command->add_option("--dir", typed.keygen.folder, "folder for the two files (default: the current one)");
    command->add_option("--replaces", typed.keygen.replaces,
                        "the previous NAME.pub, whose key is then accepted as well");
    command->callback([&] { typed.run = [&] { return keygen(typed.settings, typed.keygen); }; });
}

void add_top(CLI::App& app, Typed& typed) {
    auto* command = app.add_subcommand("top", "show nodes, groups and rates live; press q to exit");
    command->add_flag("--once", typed.top.once, "print once and exit, as without a terminal");
    command->add_option("--interval", typed.top.interval, "seconds between two updates (default 1)")
        ->check(seconds(0.1, 3600.0));
    command->callback([&] { typed.run = [&] { return top(typed.settings, typed.top); }; });
}

int main_of(int argc, char** argv) {
    CLI::App app("Join, notify, watch and look up tracker groups of a muster cluster.", "muster");
    Typed typed;
    add_settings(app, typed.settings);
    add_queries(app, typed);
    add_join(app, typed);
    add_notify(app, typed);
    add_watch(app, typed);
    add_administration(app, typed);
    add_keygen(app, typed);
    add_top(app, typed);
    app.set_version_flag("--version", MUSTER_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {  // help and version
            std::ostringstream text;
            app.exit(error, text);
            write_output(text.str());
            return kDone;
        }
        // CLI11 first finds that there is no command, and only then the unknown word.
        const auto unknown = app.get_subcommands().empty() ? app.remaining() : std::vector<std::string>{};
        const auto why = unknown.empty() ? error.what() : "there is no command '" + unknown.front() + "'";
        complain(why + " (see muster --help)");
        return kUsage;
    }
    try {
        return typed.run();
    } catch (const std::system_error& refused) {  // of a thread or descriptor
        complain(node::reason_and_advice(refused.code().value()));
        return kRefused;
    }
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) {
    muster::node::open_standard_streams();
    muster::node::let_writes_fail();
    return muster::cli::main_of(argc, argv);
}
