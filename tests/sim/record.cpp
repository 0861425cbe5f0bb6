#include "tests/sim/record.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>
#include <type_traits>

namespace muster::sim {
namespace {

constexpr std::array<std::string_view, std::variant_size_v<proto::Body>> kMessageNames = {
    "Hello",         "Welcome",       "Refuse",         "Deltas",          "Heartbeat",     "Goodbye",
    "PeerNews",      "Forget",        "Pull",           "SnapshotChunk",   "SnapshotAck",   "Probe",
    "Heard",         "Ping",          "Pong",           "LinkData",        "LinkAck",       "Relay",
    "Sealed",        "ReplayRequest", "WorkerHello",    "WorkerHeartbeat", "WorkerGoodbye", "JoinRequest",
    "RejoinRequest", "LeaveRequest",  "MembersRequest", "GroupsRequest",   "NodesRequest",  "StatusRequest",
    "NotifyRequest", "WatchRequest",  "UnwatchRequest", "ForgetRequest",   "DrainRequest",  "MoveRequest",
    "WorkerWelcome", "NodeHeartbeat", "Move",           "JoinReply",       "LeaveReply",    "MembersReply",
    "GroupsReply",   "NodesReply",    "StatusReply",    "NotifyReply",     "DoneReply",     "ErrorReply",
    "Deliveries",    "Gap",           "WatchNews"};
static_assert(std::is_same_v<std::variant_alternative_t<29, proto::Body>, proto::StatusRequest>);
static_assert(std::is_same_v<std::variant_alternative_t<50, proto::Body>, proto::WatchNews>);

constexpr std::array<std::string_view, kFaults> kFaultNames = {"crash",
                                                               "restart",
                                                               "shutdown",
                                                               "pause",
                                                               "partition",
                                                               "pair_cut",
                                                               "one_way_cut",
                                                               "link_reset",
                                                               "loss_burst",
                                                               "slow_links",
                                                               "gossip_lost",
                                                               "gossip_doubled",
                                                               "clock_set_back",
                                                               "worker_crash",
                                                               "worker_goodbye",
                                                               "worker_pause",
                                                               "worker_cut",
                                                               "worker_reconnect",
                                                               "heal_with_cuts",
                                                               "mass_restart",
                                                               "late_start",
                                                               "name_conflict",
                                                               "replayed_frame",
                                                               "hostile_frame",
                                                               "stopped_for_good",
                                                               "port_cut",
                                                               "port_cut_at_start",
                                                               "heal_with_port_cuts",
                                                               "key_replaced",
                                                               "connections_forgotten"};

}  // namespace

std::string_view to_string(Fault fault) {
    return kFaultNames[static_cast<std::size_t>(fault)];
}

std::string_view name_of(std::size_t body_index) {
    return kMessageNames[body_index];
}

std::string_view name_of(const proto::Body& body) {
    return kMessageNames[body.index()];
}

void Coverage::add(const Coverage& other) {
    for (std::size_t i = 0; i < faults.size(); ++i) faults[i] += other.faults[i];
    for (std::size_t i = 0; i < messages.size(); ++i) messages[i] += other.messages[i];
    for (const auto& [kind, count] : other.notes) notes[kind] += count;
    for (const auto& [name, count] : other.marks) marks[name] += count;
    for (const auto& [name, count] : other.paths) paths[name] += count;
}

std::string Coverage::to_text() const {
    std::string text = "faults:";
    const auto add = [&text](std::string_view name, std::uint64_t count) {
        text.append(" ").append(name).append("=").append(std::to_string(count));
    };
    for (std::size_t i = 0; i < faults.size(); ++i) add(kFaultNames[i], faults[i]);
    text += "\nmessages:";
    for (std::size_t i = 0; i < messages.size(); ++i) add(kMessageNames[i], messages[i]);
    text += "\nnotes:";
    for (const auto& [kind, count] : notes) add(cluster::to_string(kind), count);
    text += "\nseen:";
    for (const auto& [name, count] : marks) add(name, count);
    text += "\npaths:";
    for (const auto& [name, count] : paths) add(name, count);
    return text + "\n";
}

void Transcript::take(std::string_view bytes) {
    take(XXH64(bytes.data(), bytes.size(), 0));
}

void Transcript::take(Duration now, std::uint64_t host, const cluster::Action& action, std::string_view encoded) {
    take(static_cast<std::uint64_t>(now.count()));
    take((host << 8) ^ action.index());
    take(encoded);
}

void Transcript::print(Duration now, const std::string& who, const std::string& text) {
    std::printf("%10.3f %-4s %s\n", static_cast<double>(now.count()) / 1000.0, who.c_str(), text.c_str());
}

}  // namespace muster::sim
