// What a batch of runs must have exercised.
#include <algorithm>
#include <span>

#include "tests/sim/record.hpp"

namespace muster::sim {
namespace {

/// Every counter of the cores; the test of the tree holds this list against cluster/.
constexpr std::string_view kPaths[] = {
    "acks_of_unsent_links",
    "addresses_in_use",
    "administration_refused",
    "channel_faults",
    "connects_delayed",
    "control_over_gossip",
    "deaths_disbelieved",
    "deltas_applied",
    "deltas_committed",
    "deltas_not_kept",
    "deltas_of_strangers",
    "deltas_refused",
    "deltas_repeated",
    "digest_mismatches",
    "drains",
    "gaps",
    "gossip_over_control",
    "handovers",
    "handovers_unanswered",
    "hellos_refused_name_taken",
    "hellos_refused_wrong_scope",
    "incarnations_adopted",
    "incarnations_unbelieved",
    "joins_refused_memory",
    "late_steps",
    "link_items_for_dead",
    "link_items_early",
    "link_items_given_up",
    "link_items_repeated",
    "link_items_resent",
    "link_overflows",
    "link_retries",
    "links_lost",
    "links_up",
    "lives_disbelieved",
    "lives_heard_of",
    "lives_unproven",
    "lives_without_key",
    "membership_repairs",
    "messages_of_another_life",
    "messages_of_another_scope",
    "messages_of_false_senders",
    "messages_of_strangers",
    "messages_of_unknown_type",
    "messages_out_of_place",
    "messages_unsealed",
    "news_older",
    "nodes_forgotten",
    "notices_held_back",
    "notices_not_remembered",
    "notices_repeated",
    "notices_repeated_late",
    "notices_replayed",
    "notifications",
    "notifications_delivered",
    "notifications_dropped",
    "notifications_lost_on_links",
    "notifications_lost_with_workers",
    "notifications_matched",
    "notifications_refused",
    "notifications_replayed",
    "peers_unreached",
    "probes_sent",
    "proofs_unchecked",
    "pulls_answered",
    "pulls_refused",
    "pulls_sent",
    "recent_notices_forgotten",
    "reconnects",
    "refutations",
    "refutations_unbelieved",
    "relayed_passed_on",
    "relayed_received",
    "relayed_sent",
    "relays_broken",
    "relays_refused",
    "repair_bytes_sent",
    "repeated_calls_sent_later",
    "replay_requests",
    "replay_requests_ignored",
    "replays_asked",
    "requests_repeated",
    "returns_disbelieved",
    "seals_broken",
    "seals_forged",
    "seals_seen_before",
    "snapshots_broken",
    "snapshots_sent",
    "snapshots_taken",
    "stream_items_resent",
    "suspicions",
    "tables_forged",
    "workers_asked_to_move",
    "workers_given_up",
    "workers_refused_not_ready",
    "workers_refused_unknown_session",
};

/// Beyond the size of a simulated run; unit tests reach them.
constexpr std::string_view kPathsNotHere[] = {
    "acks_of_unsent_stream",          // workers here do not lie
    "addresses_forgotten",            // a scenario has it
    "backlog_queue",                  // a level, not a count
    "backlog_queue_bytes",            // the same
    "channels_silent",                // a level, not a count
    "chunks_not_kept",                // the work of a turn, and then no room
    "handovers_refused",              // no memory for the waits of one session
    "hellos_refused_key",             // nodes here have their own
    "hellos_refused_other_node",      // a scenario has it
    "hellos_refused_not_alive",       // nodes do not say so of themselves
    "joins_refused_bytes",            // 64 MiB
    "joins_refused_groups",           // 65,536
    "joins_refused_members",          // 1,048,576
    "joins_refused_table",            // 3,670,016
    "link_data_for_another_life",     // a message of another life is refused before
    "link_queue",                     // a level, not a count
    "link_queue_bytes",               // the same
    "members_missing",                // the same
    "memory_limit",                   // a bound, not a count
    "memory_used",                    // a level
    "notices_forged",                 // would take the place of a notice of the link
    "peers_refused",                  // 4,096 nodes
    "peers_refused_unmet",            // nodes here meet, or are few
    "queries_refused",                // 4,096 wait
    "repeated_calls_forgotten",       // 16,384
    "requests_of_observers_refused",  // workers here are none
    "requests_refused",               // 4,096 wait
    "snapshots_refused",              // 256 snapshots under way
    "tables_missing",                 // a level
    "tables_refused",                 // 4,194,304
    "waits_refused",                  // 65,536
    "watches_refused",                // 1,024
    "workers_refused_key",            // workers here have one
    "workers_refused_name",           // it is theirs
    "workers_refused_too_many",       // 65,536
    "workers_refused_wrong_scope",    // workers here have one scope
};

constexpr std::string_view kMarks[] = {
    "answer in several turns",
    "snapshot of all groups in parts",
    "snapshot for a watcher inside a node in parts",
    "end noticed before the last words",
    "frame refused by the codec",
    "handler removed with notifications waiting",
    "handler told of a gap",
    "handler told of a loss on a link",
    "worker told where to move",
    "incarnation adopted",
    "incarnation adopted with members",
    "join seen by all",
    "message of an unknown type ignored",
    "node stopped by itself",
    "worker asked to move",
    "worker attached anew",
    "worker dropped a repeated call",
    "worker got an answer twice",
    "worker moved",
    "worker resumed",
    "worker session unknown",
    "worker told of a gap",
    "worker told of a gap of unknown size",
};

}  // namespace

std::vector<std::string> Coverage::never_hit() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < faults.size(); ++i) {
        if (faults[i] == 0) names.emplace_back(to_string(static_cast<Fault>(i)));
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (messages[i] == 0) names.emplace_back(name_of(i));
    }
    for (auto kind = cluster::Note::Kind::ready; kind <= cluster::Note::Kind::overflow;
         kind = static_cast<cluster::Note::Kind>(static_cast<int>(kind) + 1)) {
        if (kind == cluster::Note::Kind::peer_refused) continue;   // 4,096 nodes
        if (kind == cluster::Note::Kind::table_refused) continue;  // 4,194,304 members
        if (!notes.contains(kind)) names.emplace_back(cluster::to_string(kind));
    }
    for (const std::string_view path : kPaths) {
        if (!paths.contains(std::string(path))) names.emplace_back(path);
    }
    for (const std::string_view mark : kMarks) {
        if (!marks.contains(mark)) names.emplace_back(mark);
    }
    return names;
}

std::vector<std::string> Coverage::unlisted() const {
    std::vector<std::string> names;
    const auto listed = [](std::span<const std::string_view> list, const std::string& name) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    for (const auto& [path, count] : paths) {
        if (!listed(kPaths, path) && !listed(kPathsNotHere, path)) names.push_back(path);
    }
    return names;
}

}  // namespace muster::sim
