// Pulls what copies lack, and answers the pulls of others. PROTOCOL.md, "Replication".
#pragma once

#include <string>

#include "cluster/membership/peers.hpp"
#include "cluster/replication/outgoing_snapshots.hpp"
#include "cluster/replication/replicas.hpp"

namespace muster::cluster {

class Repair {
public:
    Repair(Context& context, Peers& peers, Replicas& replicas, OutgoingSnapshots& snapshots)
        : ctx_(context), peers_(peers), replicas_(replicas), snapshots_(snapshots) {}

    /// Sends `from` what it lacks: deltas if the log has all of them, otherwise a snapshot. With keys, answers only for
    /// this node's own table, because nothing else would be believed.
    void answer(const proto::Pull& pull, const std::string& from);
    /// Takes a chunk that `from` cut when the log had `position`, and acknowledges it.
    void take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from);

    [[nodiscard]] bool has_due_pulls() const { return replicas_.next_pull() <= ctx_.now; }
    void send_due_pulls();

private:
    void send_pull(Copy& copy);
    void send_deltas(const Replica& table, Seq have, const std::string& to);

    Context& ctx_;
    Peers& peers_;
    Replicas& replicas_;
    OutgoingSnapshots& snapshots_;
};

}  // namespace muster::cluster
