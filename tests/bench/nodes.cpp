#include "tests/bench/nodes.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "tests/bench/keyed.hpp"
#include "tests/bench/settings.hpp"

namespace muster::bench {
namespace {

constexpr std::chrono::minutes kPatience{5};

std::string new_scope() {
    static int last = 0;
    return "bench-" + std::to_string(getpid()) + "-" + std::to_string(++last);
}

}  // namespace

void wait_for(const char* what, const std::function<bool()>& holds) {
    const auto end = Clock::now() + kPatience;
    while (!holds()) {
        if (Clock::now() > end) throw std::runtime_error(std::string("waited in vain for: ") + what);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

Node::Options node_options(const std::string& name, const std::string& scope, std::vector<std::string> seeds) {
    Node::Options options;
    options.name = name;
    options.listen = "127.0.0.1:0";
    options.scope = scope;
    options.seeds = std::move(seeds);
    options.timing.ready_wait = std::chrono::milliseconds(300);
    return keyed(std::move(options), name);
}

std::unique_ptr<Node> start_node(Node::Options options) {
    const std::string name = options.name;
    auto node = take(Node::start(std::move(options)));
    if (!node->wait_ready(kPatience)) throw std::runtime_error("node " + name + " does not become ready");
    return node;
}

std::unique_ptr<Node> start_node(const std::string& name, const std::string& scope, std::vector<std::string> seeds) {
    return start_node(node_options(name, scope, std::move(seeds)));
}

OnNotification counting(Page& page, std::size_t slot) {
    return [&counter = page.slot(slot)](const Notification&) { counter.add_one(); };
}

void join_counting(Tracker& tracker, const Group& group, std::size_t times, Page& page, std::size_t first_slot) {
    for (std::size_t i = 0; i < times; ++i) take(tracker.join(group, counting(page, first_slot + i)));
}

void fill(Node& node, std::size_t groups, std::size_t members, bool singly) {
    JoinOptions options;
    options.count = singly ? 1 : members;
    for (std::size_t joined = 0; joined < members; joined += options.count) {
        for (std::size_t i = 0; i < groups; ++i) take(node.join({"fill", std::to_string(i)}, {}, options));
    }
}

bool holds(Node& node, std::size_t groups, std::size_t members) {
    const auto status = take(node.status());
    return status.groups == groups && status.members == members;
}

std::uint64_t read_back(Node& node) {
    std::uint64_t sum = 0;
    for (const auto& info : take(node.groups())) {
        auto members = node.members(info.group);
        if (!members) throw std::runtime_error(members.error().text);
        sum += (*members).size();
    }
    return sum;
}

std::size_t alive_nodes(Node& node) {
    const auto nodes = take(node.nodes());
    const auto is_alive = [](const NodeInfo& info) { return info.state == NodeState::alive; };
    return static_cast<std::size_t>(std::count_if(nodes.begin(), nodes.end(), is_alive));
}

Cluster::Cluster(std::size_t nodes) : scope_(new_scope()), node_(start_node("a", scope_, {})) {
    addresses_.push_back(node_->address());
    while (children_.size() + 1 < nodes) add();
}

std::size_t Cluster::add() {
    auto child = std::make_unique<Child>(page_);
    std::string command = "node n" + std::to_string(++named_) + " " + scope_;
    for (const auto& address : addresses_) command += " " + address;
    const auto address = child->ask(command);
    children_.push_back(std::move(child));
    addresses_.push_back(address);
    expect_all_alive();
    return children_.size() - 1;
}

void Cluster::drop_last() {
    children_.pop_back();
    addresses_.pop_back();
}

void Cluster::expect_all_alive() {
    const std::size_t all = children_.size() + 1;
    wait_for("all nodes alive", [&] { return alive_nodes(*node_) == all; });
    for (const auto& child : children_) child->ask("expect_nodes " + std::to_string(all));
}

void Cluster::expect_members(const Group& group, std::size_t members) {
    wait_for("all members at a", [&] {
        auto seen = node_->members(group);
        return seen && (*seen).size() == members;
    });
    for (const auto& child : children_)
        child->ask("expect_members " + group.store + " " + group.feature + " " + std::to_string(members));
}

double Cluster::cpu_seconds() const {
    double sum = own_cpu_seconds();
    for (const auto& child : children_) sum += child->cpu_seconds();
    return sum;
}

}  // namespace muster::bench
