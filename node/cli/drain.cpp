// Commands that make workers go to other nodes.
#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "node/cli/commands.hpp"
#include "node/cli/moves.hpp"
#include "node/cli/named_node.hpp"
#include "node/cli/output.hpp"

namespace muster::cli {
namespace {

constexpr auto kLook = std::chrono::milliseconds(100);

std::string nodes_text(const std::vector<NodeInfo>& nodes) {
    std::string text;
    for (const auto& node : nodes)
        if (node.state == NodeState::alive)
            text += (text.empty() ? "" : ", ") + node.id.name + " " + counted(node.workers, "worker");
    return text;
}

Json json_of(const std::vector<Moves>& moves) {
    Json list = Json::array();
    for (const auto& move : moves)
        list.push_back({{"from", move.from.id.name}, {"to", move.to.id.name}, {"workers", move.workers}});
    return list;
}

/// The nodes as the one of --node sees them, without the session of this command.
Result<std::vector<NodeInfo>> nodes_without_this(Worker& worker) {
    auto nodes = worker.nodes();
    if (!nodes) return nodes;
    for (auto& node : *nodes)
        if (node.id == worker.node().id) node.workers -= std::min<std::uint64_t>(node.workers, 1);
    return nodes;
}

}  // namespace

int drain(const Settings& settings, const std::string& node, bool on, double seconds) {
    if (const auto error = wrong_node(node)) return fail(*error);
    const auto address = address_of(settings, node);
    if (!address) return fail(address.error());
    const auto worker = attach_to(settings, *address);
    if (!worker) return fail(worker.error());
    if (const auto done = (*worker)->drain(on); !done) return fail(done.error());

    // This command's own session is one of the node's workers.
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::uint64_t left = 0;
    do {
        const auto status = (*worker)->status();
        if (!status) return fail(status.error());
        left = status->workers - std::min<std::uint64_t>(status->workers, 1);
        if (!on || left == 0) break;
        std::this_thread::sleep_for(kLook);
    } while (std::chrono::steady_clock::now() < until);
    const std::string& name = (*worker)->node().id.name;
    if (settings.json) {
        print_json(Json{{"node", name}, {"draining", on}, {"workers", left}});
    } else if (!on) {
        print(name + " takes workers again");
    } else if (left == 0) {
        print(name + " is drained");
    }
    if (!on || left == 0) return kDone;
    return fail({ErrorCode::timeout, counted(left, "worker") + " of " + name +
                                         " did not go: they know no other node that takes them, or are older; "
                                         "the node serves them, and goes on asking"});
}

int rebalance(const Settings& settings) {
    auto worker = attach(settings);
    if (!worker) return fail(worker.error());
    const auto nodes = nodes_without_this(**worker);
    if (!nodes) return fail(nodes.error());
    const auto moves = balanced(*nodes);
    std::map<std::string, std::unique_ptr<Worker>> at;  // one session for each node: a node does not move it
    const std::string here = (*worker)->node().id.name;
    at[here] = *std::move(worker);
    for (const auto& move : moves) {
        auto& there = at[move.from.id.name];
        if (!there) {
            auto attached = attach_to(settings, move.from.id.name + "@" + move.from.address);
            if (!attached) return fail(attached.error());
            there = *std::move(attached);
        }
        const auto asked = there->move_workers(move.workers, move.to.id.name + "@" + move.to.address);
        if (!asked) return fail(asked.error());
        if (!settings.json)
            print(move.from.id.name + " asks " + counted(move.workers, "worker") + " to go to " + move.to.id.name);
    }
    if (settings.json)
        print_json(Json{{"moves", json_of(moves)}});
    else if (moves.empty())
        print("balanced: " + nodes_text(*nodes));
    return kDone;
}

}  // namespace muster::cli
