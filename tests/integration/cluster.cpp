#include "tests/integration/cluster.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tests/integration/mode.hpp"

namespace muster::test {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kBetweenAsking{50};

/// The object of the first line, or null.
Json first_object(const Finished& finished) {
    if (finished.status != 0 || finished.lines.empty()) return nullptr;
    const auto object = Json::parse(finished.lines.front(), nullptr, false);
    return object.is_discarded() ? Json(nullptr) : object;
}

std::vector<Place> on_loopback(std::size_t nodes) {
    std::vector<Place> places(nodes);
    for (auto& place : places) place.address = "127.0.0.1:" + std::to_string(free_port());
    return places;
}

}  // namespace

std::string musterd_path() {
    const char* another = std::getenv("MUSTERD");
    return another == nullptr ? MUSTERD_PATH : another;
}

Cluster::Cluster(std::size_t nodes, std::vector<std::string> arguments)
    : Cluster(on_loopback(nodes), std::move(arguments)) {}

Cluster::Cluster(std::vector<Place> places, std::vector<std::string> arguments)
    : arguments_(std::move(arguments)), places_(std::move(places)), nodes_(places_.size()) {
    for (std::size_t i = 0; i < size(); ++i) key_flags(name(i));  // all of them, before anyone reads the folder
    for (std::size_t i = 0; i < size(); ++i) start(i);
    for (std::size_t i = 0; i < size(); ++i) wait_ready(i);
    for (std::size_t i = 0; i < size(); ++i)
        if (!wait_alive(i, size())) throw std::runtime_error(name(i) + " does not see all nodes");
}

std::vector<std::string> Cluster::addresses() const {
    std::vector<std::string> list;
    for (const auto& place : places_) list.push_back(place.address);
    return list;
}

void Cluster::start(std::size_t i) {
    const std::string& program = places_[i].musterd;
    std::vector<std::string> line = {program.empty() ? musterd_path() : program, "--name", name(i), "--listen",
                                     address(i)};
    for (const auto& other : addresses())
        if (other != address(i)) line.insert(line.end(), {"--seed", other});
    const auto keys = key_flags(name(i));
    line.insert(line.end(), keys.begin(), keys.end());
    line.insert(line.end(), arguments_.begin(), arguments_.end());
    line.insert(line.end(), places_[i].more.begin(), places_[i].more.end());
    nodes_[i] = std::make_unique<Process>(at_place(i, std::move(line)));
}

void Cluster::wait_ready(std::size_t i, milliseconds timeout) {
    const auto until = Clock::now() + timeout;
    while (Clock::now() < until) {
        const auto status = first_object(muster(i, {"status"}));
        if (status.is_object() && status.value("ready", false)) return;
        if (const auto ended = nodes_[i]->wait_exit(milliseconds(0)))
            throw std::runtime_error(name(i) + " ended with " + std::to_string(*ended) + ": " + nodes_[i]->errors());
        std::this_thread::sleep_for(kBetweenAsking);
    }
    throw std::runtime_error(name(i) + " is not ready in time: " + nodes_[i]->errors());
}

bool Cluster::wait_alive(std::size_t i, std::size_t nodes, milliseconds timeout) {
    const auto until = Clock::now() + timeout;
    do {
        std::size_t alive = 0;
        const auto answer = first_object(muster(i, {"nodes"}));
        if (answer.is_object())
            for (const auto& node : answer.at("nodes")) alive += node.at("state") == "alive" ? 1 : 0;
        if (alive == nodes) return true;
        std::this_thread::sleep_for(kBetweenAsking);
    } while (Clock::now() < until);
    return false;
}

std::vector<std::string> Cluster::at_place(std::size_t i, std::vector<std::string> command) const {
    const auto& enter = places_.at(i).enter;
    command.insert(command.begin(), enter.begin(), enter.end());
    return command;
}

std::vector<std::string> Cluster::command(std::size_t i, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {MUSTER_PATH, "--node", address(i), "--json"});
    return at_place(i, std::move(arguments));
}

Finished Cluster::muster(std::size_t i, std::vector<std::string> arguments, milliseconds timeout) const {
    return run(command(i, std::move(arguments)), timeout);
}

std::unique_ptr<Process> Cluster::stay(std::size_t i, std::vector<std::string> arguments) const {
    return std::make_unique<Process>(command(i, std::move(arguments)));
}

}  // namespace muster::test
