// Pulls what copies lack, and answers the pulls of others. PROTOCOL.md, "Replication".
#pragma once

#include <string>

#include "cluster/membership/peers.hpp"
#include "cluster/replication/pull_answers.hpp"
#include "cluster/replication/replicas.hpp"

namespace muster::cluster {

class Repair {
public:
    Repair(Context& context, Peers& peers, Replicas& replicas, PullAnswers& answers)
        : ctx_(context), peers_(peers), replicas_(replicas), answers_(answers) {}

    /// Begins to send `from` what it lacks: deltas if the log has all of them, otherwise a snapshot. With keys, answers
    /// only for this node's own table, because nothing else would be believed.
    void answer(const proto::Pull& pull, const std::string& from);
    /// Takes a chunk that `from` cut when the log had `position`, and acknowledges it; in a later turn if the work of
    /// this one is done.
    void take(proto::SnapshotChunk chunk, Seq position, const std::string& from);
    /// Applies what did not fit earlier turns, as far as a turn's work allows. To be called once per turn.
    void work_off_backlog();

    [[nodiscard]] bool has_due_pulls() const { return replicas_.next_pull() <= ctx_.now; }
    void send_due_pulls();

private:
    void send_pull(Copy& copy);
    void take_now(Copy& copy, const proto::SnapshotChunk& chunk, Seq position, const std::string& from);

    Context& ctx_;
    Peers& peers_;
    Replicas& replicas_;
    PullAnswers& answers_;
};

}  // namespace muster::cluster
