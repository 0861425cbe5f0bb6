// What a run leaves behind: a hash of all it did, counts of what it exercised,
// and, when asked for, a trace to read.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/action.hpp"
#include "tests/sim/random.hpp"

namespace muster::sim {

enum class Fault : std::uint8_t {
    crash,
    restart,
    shutdown,
    pause,
    partition,
    pair_cut,
    one_way_cut,
    link_reset,
    loss_burst,
    slow_links,
    gossip_lost,
    gossip_doubled,
    clock_set_back,
    worker_crash,
    worker_goodbye,
    worker_pause,
    worker_cut,
    worker_reconnect,
    heal_with_cuts,
    mass_restart,
    late_start,
    name_conflict,
    replayed_frame,  // one that arrived before, at any later time
    hostile_frame,
    stopped_for_good,
    port_cut,  // one channel of one direction
    port_cut_at_start,
    heal_with_port_cuts,
    key_replaced,
    connections_forgotten,  // by a firewall: those that stand carry nothing any more, new ones do
};
inline constexpr std::size_t kFaults = 30;

std::string_view to_string(Fault fault);

/// How often what was exercised, over one run or many.
struct Coverage {
    std::array<std::uint64_t, kFaults> faults{};
    std::array<std::uint64_t, std::variant_size_v<proto::Body>> messages{};
    std::map<cluster::Note::Kind, std::uint64_t> notes;
    std::map<std::string_view, std::uint64_t> marks;  // by names of string literals
    std::map<std::string, std::uint64_t> paths;       // counters of the cores, summed

    void count(Fault fault) { ++faults[static_cast<std::size_t>(fault)]; }
    void add(const Coverage& other);
    [[nodiscard]] std::string to_text() const;
    /// What a batch of runs must exercise and has not; names, as in to_text().
    [[nodiscard]] std::vector<std::string> never_hit() const;
    /// Counters of cores that the lists in coverage.cpp do not know.
    [[nodiscard]] std::vector<std::string> unlisted() const;
};

/// An invariant is broken; `what()` says which, and where.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The name of a message's body, as in messages.hpp.
std::string_view name_of(const proto::Body& body);
std::string_view name_of(std::size_t body_index);

/// Collects the hash of everything that the cores asked for, byte for byte.
class Transcript {
public:
    /// Takes the lines of the trace, when there is one.
    using Sink = std::function<void(Duration now, const std::string& who, const std::string& text)>;
    explicit Transcript(Sink sink) : sink_(std::move(sink)) {}

    void take(Duration now, std::uint64_t host, const cluster::Action& action, std::string_view encoded);
    void take(std::uint64_t value) { hash_ = mix64(hash_ ^ value); }
    void take(std::string_view bytes);
    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    [[nodiscard]] bool verbose() const { return sink_ != nullptr; }

    /// Only when verbose: callers ask first, so that nothing is formatted in vain.
    void line(Duration now, const std::string& who, const std::string& text) const { sink_(now, who, text); }
    /// A sink: standard output.
    static void print(Duration now, const std::string& who, const std::string& text);

private:
    Sink sink_;
    std::uint64_t hash_ = 0;
};

// One line each, for the trace.
std::string to_text(const proto::Message& message);
std::string to_text(const cluster::EventBody& event);
std::string to_text(const cluster::Action& action);

}  // namespace muster::sim
