// Nodes for the benchmark, and what is done with them in this process and in its children.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <muster/node.hpp>

#include "tests/bench/child.hpp"
#include "tests/bench/page.hpp"

namespace muster::bench {

/// The value, or its error thrown as std::runtime_error.
template <class T>
T take(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text);
    return std::move(*result);
}

/// Polls every millisecond, for at most five minutes; throws std::runtime_error with `what` after that.
void wait_for(const char* what, const std::function<bool()>& holds);

/// At a free port of the loopback interface.
Node::Options node_options(const std::string& name, const std::string& scope, std::vector<std::string> seeds);
/// Started and ready.
std::unique_ptr<Node> start_node(Node::Options options);
std::unique_ptr<Node> start_node(const std::string& name, const std::string& scope, std::vector<std::string> seeds);

/// A handler that counts its calls in a slot, and does nothing else.
OnNotification counting(Page& page, std::size_t slot);
/// `times` joins of one member each, the i-th counted in slot `first_slot` + i.
void join_counting(Tracker& tracker, const Group& group, std::size_t times, Page& page, std::size_t first_slot);

/// `groups` groups of `members` members each: in one call a group, or singly, where the groups take turns.
void fill(Node& node, std::size_t groups, std::size_t members, bool singly);
bool holds(Node& node, std::size_t groups, std::size_t members);
/// Members of all groups, read one by one.
std::uint64_t read_back(Node& node);
/// How many nodes it believes alive, itself included.
std::size_t alive_nodes(Node& node);

/// Node A in this process and the others in children, all connected with each other.
class Cluster {
public:
    explicit Cluster(std::size_t nodes);

    Page& page() { return page_; }
    Node& node() { return *node_; }
    /// Of the children: 0 is node B.
    Child& child(std::size_t i) { return *children_[i]; }
    [[nodiscard]] std::size_t children() const { return children_.size(); }
    [[nodiscard]] const std::string& scope() const { return scope_; }

    /// One more node that knows all; returns its index among the children.
    std::size_t add();
    /// Kills the node added last, and forgets it.
    void drop_last();
    /// All nodes see so many members of the group.
    void expect_members(const Group& group, std::size_t members);
    /// Processor time of all processes so far, in seconds.
    [[nodiscard]] double cpu_seconds() const;

private:
    void expect_all_alive();

    Page page_;
    std::string scope_;
    std::unique_ptr<Node> node_;
    std::vector<std::unique_ptr<Child>> children_;
    std::vector<std::string> addresses_;
    std::size_t named_ = 0;
};

}  // namespace muster::bench
