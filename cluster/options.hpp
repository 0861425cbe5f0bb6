// What a core is told once, at its start.
#pragma once

#include <muster/group.hpp>
#include <muster/ids.hpp>
#include <muster/types.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/notary.hpp"
#include "cluster/time.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {

using std::chrono::milliseconds;

/// Failure detection and repair. ARCHITECTURE.md derives the defaults.
struct Timing {
    Duration tick = milliseconds(50);                       // grain of every timer below
    Duration heartbeat = milliseconds(250);                 // between publications
    Duration publish_gap = std::chrono::microseconds(100);  // between frames of own deltas: what comes fast is gathered
    Duration ask_others_after = milliseconds(500);          // of silence: have others heard of it?
    Duration suspect_after = milliseconds(1000);            // of silence, times 1 + own lateness score
    Duration down_after = milliseconds(1500);               // of suspicion
    Duration down_confirmed = milliseconds(700);            // of suspicion shared by two other nodes
    Duration relay_lease = milliseconds(2000);              // for which a relay passes on what it hears
    Duration redial_min = milliseconds(200);                // seeds and lost peers: doubling, jittered
    Duration redial_max = milliseconds(1000);
    // A seed may be a name of several hosts, of which other ones can be behind it later.
    Duration own_seed_again = milliseconds(5000);   // one at which this node itself answers
    Duration seed_again = std::chrono::minutes(1);  // one at which a live node answers
    Duration reconnect_after = milliseconds(3000);  // a connected but silent link is opened anew
    Duration pull_retry = milliseconds(300);
    Duration link_retry = milliseconds(250);
    Duration link_retention = std::chrono::minutes(5);  // of what a peer that is down has not got
    Duration ready_wait = milliseconds(3000);           // for seeds that do not answer
    Duration name_conflict_wait = milliseconds(5000);   // for the name's last owner to be found dead
    Duration forget_after = std::chrono::minutes(60);   // of a node that is down or has left
};

/// Workers attached to this node.
struct SessionTiming {
    Duration heartbeat = milliseconds(500);  // asked of workers
    Duration probe = milliseconds(100);      // between the node's own; finds routes whose worker is gone
    Duration ttl = milliseconds(2000);       // of silence, then the connection counts as lost
    Duration grace = milliseconds(1000);     // for a lost worker to come back; 0: none
};

/// Bounds of everything that could grow. What happens at each is said where it is used.
struct Bounds {
    std::size_t log_deltas = 65536;                 // kept per origin to answer pulls
    std::size_t log_items = 1 << 20;                // changes and runs in them, and each 64 bytes of metadata
    std::size_t early_deltas = 4096;                // buffered beyond a gap, per origin
    std::size_t chunk_bytes = limits::kChunkBytes;  // aimed size of one chunk of a snapshot
    std::size_t link_items = 65536;                 // notifications not yet acknowledged, per peer
    std::size_t link_bytes = 64u << 20;
    OverflowPolicy link_policy = OverflowPolicy::drop_oldest;  // or refuse_newest: the whole notify call
    std::size_t backlog_items = 65536;                         // stream items not yet acknowledged, per worker
    std::size_t backlog_bytes = 64u << 20;
    OverflowPolicy backlog_policy = OverflowPolicy::drop_oldest;
    std::size_t sessions = 65536;
    std::size_t members_per_owner = 1u << 20;
    std::size_t groups_per_owner = 65536;
    std::size_t bytes_per_owner = 64u << 20;  // of its groups' names and its members' metadata
    std::size_t watches_per_session = 1024;
    std::size_t requests_per_session = 4096;       // that have no answer yet
    std::size_t answers_kept = 2048;               // per session, for requests that are repeated
    std::size_t answer_bytes_kept = 8u << 20;      // the same; the latest whatever its size
    std::size_t answer_bytes_per_turn = 4u << 20;  // of long answers; the last whatever its size
    std::size_t peers = 4096;
    std::size_t pending_reports = 65536;  // notify calls that wait
    std::size_t journal = 0;              // changes kept for people to read, of two sorts each; 0: none
};

struct Options {
    std::string scope = "default";
    NodeId self;
    std::string address;  // "host:port" told to others: front door
    std::string control;
    std::string gossip;
    std::vector<std::string> seeds;
    std::uint64_t random_seed = 1;
    /// 64 bits that nobody can guess, for session tokens: from one number of `random_seed` all others follow.
    /// Null: drawn from it all the same, so that a run can be repeated.
    std::uint64_t (*secret)() = nullptr;
    GroupKey (*key)(const Group&) = [](const Group& group) { return group_key(group); };  // tests force collisions
    Timing timing;
    SessionTiming session;
    Bounds bounds;
    std::shared_ptr<Notary> notary{};  // none: senders are taken for what they say
};

}  // namespace muster::cluster
