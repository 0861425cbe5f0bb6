// What a child does. A command is one line of words, its answer one line; words hold no blanks.
#include <malloc.h>

#include <iostream>
#include <map>
#include <sstream>

#include <muster/worker.hpp>

#include "tests/bench/child.hpp"
#include "tests/bench/keyed.hpp"
#include "tests/bench/nodes.hpp"
#include "tests/bench/settings.hpp"

namespace muster::bench {
namespace {

struct State {
    explicit State(int page_fd) : page(page_fd) {}

    Page page;
    std::unique_ptr<Node> node;
    std::vector<std::unique_ptr<Worker>> workers;
};

using Words = std::istringstream;

template <class T>
T next(Words& words) {
    T value{};
    if (!(words >> value)) throw std::runtime_error("a word is missing");
    return value;
}

Group next_group(Words& words) {
    auto store = next<std::string>(words);
    return {std::move(store), next<std::string>(words)};
}

std::vector<std::string> rest(Words& words) {
    std::vector<std::string> all;
    for (std::string word; words >> word;) all.push_back(word);
    return all;
}

/// node NAME SCOPE SEED… -> its address
std::string start(State& state, Words& words) {
    const auto name = next<std::string>(words), scope = next<std::string>(words);
    state.node = start_node(name, scope, rest(words));
    return state.node->address();
}

/// join STORE FEATURE COUNT: members without a handler, each joined singly
std::string join(State& state, Words& words) {
    const auto group = next_group(words);
    for (auto left = next<std::size_t>(words); left > 0; --left) take(state.node->join(group, {}));
    return "done";
}

/// join_counting STORE FEATURE TIMES FIRST_SLOT
std::string join_counting_members(State& state, Words& words) {
    const auto group = next_group(words);
    const auto times = next<std::size_t>(words);
    join_counting(*state.node, group, times, state.page, next<std::size_t>(words));
    return "done";
}

/// fill GROUPS MEMBERS SINGLY
std::string fill_groups(State& state, Words& words) {
    const auto groups = next<std::size_t>(words), members = next<std::size_t>(words);
    fill(*state.node, groups, members, next<bool>(words));
    return "done";
}

/// expect_nodes N
std::string expect_nodes(State& state, Words& words) {
    const auto nodes = next<std::size_t>(words);
    wait_for("all nodes", [&] { return alive_nodes(*state.node) == nodes; });
    return "done";
}

/// expect_members STORE FEATURE N
std::string expect_members(State& state, Words& words) {
    const auto group = next_group(words);
    const auto wanted = next<std::size_t>(words);
    wait_for("all members", [&] {
        auto members = state.node->members(group);
        return members && (*members).size() == wanted;
    });
    return "done";
}

/// expect_total GROUPS MEMBERS
std::string expect_total(State& state, Words& words) {
    const auto groups = next<std::size_t>(words), members = next<std::size_t>(words);
    wait_for("all groups", [&] { return holds(*state.node, groups, members); });
    return "done";
}

/// learn NAME SCOPE SEED GROUPS MEMBERS -> milliseconds from Node::start until all are seen
std::string learn(State& state, Words& words) {
    const auto name = next<std::string>(words), scope = next<std::string>(words), seed = next<std::string>(words);
    const auto groups = next<std::size_t>(words), members = next<std::size_t>(words);
    const auto begin = Clock::now();
    state.node = take(Node::start(node_options(name, scope, {seed})));
    wait_for("all groups", [&] { return holds(*state.node, groups, members); });
    const std::chrono::duration<double, std::milli> taken = Clock::now() - begin;
    return std::to_string(taken.count());
}

/// read_back MEMBERS
std::string check_read_back(State& state, Words& words) {
    if (read_back(*state.node) != next<std::size_t>(words)) throw std::runtime_error("members are missing");
    return "done";
}

/// echo STORE FEATURE REPLY_STORE REPLY_FEATURE HOW: watches the first group, and for each join and leave there
/// either notifies the second (`notify`) or joins and leaves it, too (`join`)
std::string echo(State& state, Words& words) {
    const auto group = next_group(words), reply = next_group(words);
    const bool by_notify = next<std::string>(words) == "notify";
    take(state.node->watch(group, [node = state.node.get(), reply, by_notify](const WatchEvent& event) {
        if (event.kind == WatchEvent::Kind::snapshot) return;
        if (by_notify)
            take(node->notify_created(reply, Data{}));
        else if (event.kind == WatchEvent::Kind::join)
            take(node->join(reply, {}));
        else
            take(node->leave(reply));
    }));
    return "done";
}

/// workers ADDRESS SCOPE N STORE FEATURE FIRST_SLOT: so many workers with one counting member each
std::string attach_workers(State& state, Words& words) {
    const auto address = next<std::string>(words), scope = next<std::string>(words);
    const auto count = next<std::size_t>(words);
    const auto group = next_group(words);
    const auto first_slot = next<std::size_t>(words);
    for (std::size_t i = 0; i < count; ++i) {
        Worker::Options options;
        options.nodes = {address};
        options.name = "w" + std::to_string(getpid()) + "-" + std::to_string(state.workers.size());
        options.scope = scope;
        state.workers.push_back(take(Worker::connect(keyed(options, "w"))));
        join_counting(*state.workers.back(), group, 1, state.page, first_slot + i);
    }
    return "done";
}

/// trim: freed memory goes back to the system
std::string trim(State&, Words&) {
    malloc_trim(0);
    return "done";
}

using Command = std::string (*)(State&, Words&);
const std::map<std::string, Command> kCommands{
    {"node", start},
    {"join", join},
    {"join_counting", join_counting_members},
    {"fill", fill_groups},
    {"expect_nodes", expect_nodes},
    {"expect_members", expect_members},
    {"expect_total", expect_total},
    {"learn", learn},
    {"read_back", check_read_back},
    {"echo", echo},
    {"workers", attach_workers},
    {"trim", trim},
};

std::string obey(State& state, const std::string& line) {
    try {
        Words words(line);
        const auto found = kCommands.find(next<std::string>(words));
        if (found == kCommands.end()) throw std::runtime_error("there is no such command");
        return found->second(state, words);
    } catch (const std::exception& error) {
        return "error " + line + ": " + error.what();
    }
}

}  // namespace

int run_child(int page_fd) {
    State state(page_fd);
    for (std::string line; std::getline(std::cin, line);) std::cout << obey(state, line) << std::endl;
    return 0;
}

}  // namespace muster::bench
