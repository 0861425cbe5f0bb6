// A cluster of real musterd processes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/process.hpp"

namespace muster::test {

/// Where a node runs, and whoever talks to it.
struct Place {
    std::vector<std::string> enter;   // what its programs are started with: words before their own; may be empty
    std::string address;              // "host:port" of its node, for everyone else
    std::vector<std::string> more{};  // added to its node's command line; the last of a flag counts
    std::string musterd{};            // the node's program, when it is not that of all
};

/// The program of a node: what MUSTERD in the environment says, or MUSTERD_PATH, a compile definition.
std::string musterd_path();

/// Nodes "n1", "n2", …, each seeded with all others, ready when the constructor
/// returns. Programs: musterd_path(), and MUSTER_PATH, a compile definition.
/// Throws when a node is not ready in time; its standard error is in the text.
class Cluster {
public:
    /// All on the loopback interface. `arguments` are added to every node's command line.
    explicit Cluster(std::size_t nodes, std::vector<std::string> arguments = {});
    /// One node a place.
    explicit Cluster(std::vector<Place> places, std::vector<std::string> arguments = {});

    [[nodiscard]] std::size_t size() const { return places_.size(); }
    [[nodiscard]] const std::string& address(std::size_t i) const { return places_.at(i).address; }
    [[nodiscard]] static std::string name(std::size_t i) { return 'n' + std::to_string(i + 1); }
    [[nodiscard]] Process& node(std::size_t i) { return *nodes_.at(i); }
    /// All addresses, in order.
    [[nodiscard]] std::vector<std::string> addresses() const;

    /// Starts node `i`, which has ended, again at its address; does not wait until it is ready.
    void start(std::size_t i);
    /// Waits until node `i` says that it is ready.
    void wait_ready(std::size_t i, milliseconds timeout = kPatience);
    /// Waits until node `i` believes exactly so many nodes, itself included, to be alive.
    bool wait_alive(std::size_t i, std::size_t nodes, milliseconds timeout = kPatience);

    /// `muster --json ARGUMENTS…` at the place of node `i` and against it, to its end.
    Finished muster(std::size_t i, std::vector<std::string> arguments, milliseconds timeout = kPatience) const;
    /// The same for a command that stays.
    [[nodiscard]] std::unique_ptr<Process> stay(std::size_t i, std::vector<std::string> arguments) const;

private:
    [[nodiscard]] std::vector<std::string> command(std::size_t i, std::vector<std::string> arguments) const;
    [[nodiscard]] std::vector<std::string> at_place(std::size_t i, std::vector<std::string> command) const;

    std::vector<std::string> arguments_;
    std::vector<Place> places_;
    std::vector<std::unique_ptr<Process>> nodes_;
};

}  // namespace muster::test
