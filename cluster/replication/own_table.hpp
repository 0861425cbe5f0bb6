// This node's own table and the publication of its deltas. PROTOCOL.md, "Replication".
#pragma once

#include <muster/result.hpp>

#include <memory>
#include <optional>
#include <vector>

#include "cluster/membership/peers.hpp"
#include "cluster/tables/replica.hpp"

namespace muster::cluster {

/// The only writer of this node's table. A delta takes effect here immediately. The other nodes get it with the next
/// publication: at most one per Timing::publish_gap, unless the caller asks for one.
class OwnTable {
public:
    OwnTable(Context& context, Peers& peers, const Replica::Setup& setup, GroupUpdates& updates);

    [[nodiscard]] const std::shared_ptr<Replica>& replica() const { return replica_; }

    /// Why the table cannot have this join; nothing if it can. Errors: overloaded.
    [[nodiscard]] std::optional<Error> why_full(const proto::Delta& join) const;
    /// Applies the delta under the next number. Publishes immediately if the unpublished deltas fill a frame.
    /// It must not have more than limits::kMembersPerFrame members.
    void commit(proto::Delta delta);
    /// Publishes all committed deltas in one message, if they are due or `force` is true.
    void publish(bool force);
    /// When the committed deltas are due; kNever if there are none.
    [[nodiscard]] Instant next_publish() const { return unpublished_.empty() ? kNever : earliest_publish_; }

    /// Continues with the same log and the same numbers of members under a higher incarnation. Everything committed
    /// must have been published. Watches get the end of the earlier life's members and the joins of the new one's.
    void adopt(Incarnation incarnation);

private:
    void publish_all();

    Context& ctx_;
    Peers& peers_;
    GroupUpdates& updates_;
    const Replica::Total& total_;
    std::shared_ptr<Replica> replica_;
    std::vector<proto::Delta> unpublished_;
    std::size_t unpublished_size_ = 0;       // on the wire
    std::uint64_t unpublished_members_ = 0;  // that join or leave
    Instant earliest_publish_{};
};

}  // namespace muster::cluster
