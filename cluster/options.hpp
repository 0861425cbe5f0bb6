// The options of a core, given once at its start. Shells set what their users may choose; tests set the rest.
#pragma once

#include <muster/group.hpp>
#include <muster/ids.hpp>
#include <muster/types.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/notary.hpp"
#include "cluster/time.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {

using std::chrono::milliseconds;

/// Times of failure detection and repair. cluster/membership/README.md derives the defaults of the detector.
struct Timing {
    Duration tick = milliseconds(50);                       // the resolution of all times below
    Duration heartbeat = milliseconds(250);                 // between this node's heartbeats
    Duration publish_gap = std::chrono::microseconds(100);  // at least, between frames of own deltas
    Duration ask_others_after = milliseconds(500);          // of a peer's silence: other nodes are asked about it
    Duration suspect_after = milliseconds(1000);    // of silence; a node that ran late waits 2 to 5 times as long
    Duration reconnect_after = milliseconds(3000);  // of silence: the connection is opened again
    Duration down_after = milliseconds(1500);       // of suspicion
    Duration down_confirmed = milliseconds(700);    // of suspicion, if two other nodes suspect the peer as well
    // Reports between two peers on what they hear of each other, over control; four times as often in trouble.
    Duration report = milliseconds(1000);
    Duration channel_silent = milliseconds(2500);  // of one channel: two reports are missing; the peer is told
    Duration report_missing = milliseconds(5000);  // of a peer that is heard: it counts as not reached
    Duration relay_lease = milliseconds(2000);     // how long a probe makes a relay forward publications
    Duration redial_min = milliseconds(200);       // between hellos to one address: doubling from min to max, jittered
    Duration redial_max = milliseconds(1000);
    // A seed name may stand for several hosts, so hellos to it go on after it has answered:
    Duration own_seed_again = milliseconds(5000);   // if this node itself answered
    Duration seed_again = std::chrono::minutes(1);  // if another node answered
    Duration pull_retry = milliseconds(300);
    Duration link_retry = milliseconds(250);
    Duration link_retention = std::chrono::minutes(5);    // how long a link keeps notices for a peer that is down
    Duration handover_window = std::chrono::seconds(30);  // how long notices are remembered for workers that move
    Duration ready_wait = milliseconds(3000);             // for seeds that do not answer
    Duration name_conflict_wait = milliseconds(5000);     // for the last holder of this node's name to be found dead
    Duration sleep_after = std::chrono::minutes(1);       // after a node is down: it costs no connections any more
    Duration forget_after = std::chrono::minutes(60);     // after a node is down or has left
};

/// Times of worker sessions. PROTOCOL.md, "Timers".
struct SessionTiming {
    Duration heartbeat = milliseconds(500);  // between a worker's heartbeats
    Duration probe = milliseconds(100);      // between the node's heartbeats, which find connections that have ended
    Duration ttl = milliseconds(2000);       // of a worker's silence until its connection counts as lost
    Duration grace = milliseconds(1000);     // how long a session outlives its connection; 0: not at all
};

/// Bounds of everything that could grow. Comments where each is used say what happens beyond it.
struct Bounds {
    std::size_t log_deltas = 65536;                 // kept for each origin, to answer pulls
    std::size_t log_bytes = 64u << 20;              // of memory that they take, for each origin
    std::size_t all_log_bytes = 256u << 20;         // for all origins together: see Share
    std::size_t early_deltas = 4096;                // kept after a gap, for each origin
    std::size_t early_bytes = 16u << 20;            // of memory that they and waiting chunks take, for each origin;
                                                    // SnapshotSender::kWindow chunks must fit
    std::size_t all_early_bytes = 64u << 20;        // for all origins together: see Share
    std::size_t table_members = 4u << 20;           // of each origin; an origin keeps an eighth below
    std::size_t all_members = 16u << 20;            // of all origins together: see Share
    std::size_t table_bytes = 256u << 20;           // of memory that an origin's table takes; it keeps an eighth below
    std::size_t all_table_bytes = 1u << 30;         // of all origins together: see Share
    std::uint64_t table_work = 1u << 20;            // per turn, for what others change: see cluster/base/work.hpp
    std::size_t answer_window = 4u << 20;           // bytes for one asker of pulls that are not known to be taken
    std::size_t repair_bytes_per_turn = 1u << 20;   // of answers to pulls; the last frame may exceed it
    std::size_t chunk_bytes = limits::kChunkBytes;  // of a part of a snapshot, an answer or a watch event, roughly
    std::size_t link_items = 65536;                 // not acknowledged, for each peer
    std::size_t link_bytes = 64u << 20;
    OverflowPolicy link_policy = OverflowPolicy::drop_oldest;  // or refuse_newest: refuses the whole notify call
    std::size_t recent_items = 65536;                          // notices that are remembered for workers that move
    std::size_t recent_bytes = 64u << 20;
    std::size_t backlog_items = 65536;  // of a worker's stream, not acknowledged
    std::size_t backlog_bytes = 64u << 20;
    OverflowPolicy backlog_policy = OverflowPolicy::drop_oldest;
    /// Bytes of all that workers and other nodes can make this node keep: streams and answers to workers, links, walks,
    /// waiting calls, and the members of this node. Fair shares of it: base/budget.hpp.
    std::size_t memory = std::size_t{1} << 30;
    std::size_t sessions = 65536;
    std::size_t members_per_owner = 1u << 20;
    std::size_t groups_per_owner = 65536;
    std::size_t bytes_per_owner = 64u << 20;  // of its groups, and of metadata, which counts for each member
    std::size_t watches_per_session = 1024;
    std::size_t requests_per_session = 4096;       // not answered
    std::size_t answers_kept = 2048;               // for each session, for requests that are repeated
    std::size_t answer_bytes_kept = 8u << 20;      // in them; the latest answer is kept whatever its size
    std::size_t answer_bytes_per_turn = 1u << 20;  // of replies to queries; the last part may exceed it
    std::size_t stream_bytes_per_turn = 4u << 20;  // of streams to workers; the last item may exceed it
    std::size_t peers = 4096;                      // other nodes; those that are gone make room for live ones
    std::size_t proofs_per_tick = 128;             // of lives, checked for one node that tells of them
    std::size_t unmet_peers = 64;                  // lives that one node alone has told of
    std::size_t pending_reports = 65536;           // notify calls that wait
    std::size_t journal = 0;  // entries of nodes, and as many of members and workers; 0: no journal

    /// Bounds memory to `bytes`, and what the tables of all nodes take to as much again: they and their logs may each
    /// have twice what `all_...` says (see Share).
    void bound_memory(std::size_t bytes) {
        memory = bytes;
        all_table_bytes = std::min(all_table_bytes, bytes / 3);
        all_log_bytes = std::min(all_log_bytes, bytes / 8);
        all_early_bytes = std::min(all_early_bytes, bytes / 32);
    }
};

struct Options {
    std::string scope = "default";
    NodeId self;
    std::string address;  // "HOST:PORT" of the front door, as other nodes reach it
    std::string control;  // "HOST:PORT" of the control socket
    std::string gossip;   // "HOST:PORT" of the publisher
    std::vector<std::string> seeds;
    std::uint64_t random_seed = 1;
    /// Draws 64 bits that nobody can guess, for session tokens. Null: tokens come from the seeded generator, so that a
    /// run can be repeated, but one of them tells all others.
    std::uint64_t (*secret)() = nullptr;
    /// Hashes groups for the index, with a secret. Null: keyed_hash(). Tests force collisions.
    std::uint64_t (*index_hash)(const Group&, std::uint64_t secret) = nullptr;
    Timing timing;
    SessionTiming session;
    Bounds bounds;
    std::shared_ptr<Notary> notary{};  // null: no keys, and every message is believed to be from its origin
};

}  // namespace muster::cluster
