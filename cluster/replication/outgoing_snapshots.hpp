// The snapshots that this node is sending. PROTOCOL.md, "Snapshots".
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cluster/membership/peers.hpp"
#include "cluster/replication/snapshot.hpp"

namespace muster::cluster {

/// At most one snapshot per pair of receiver and origin, and at most 256 in all. A snapshot is dropped if its receiver
/// acknowledges nothing for five seconds, or if its table has been replaced or forgotten. The receiver then pulls
/// again.
class OutgoingSnapshots {
public:
    OutgoingSnapshots(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

    /// Begins a snapshot of `table`. Replaces an earlier one for the same receiver.
    void begin(const std::shared_ptr<const Replica>& table, const std::string& to);
    /// Takes an acknowledgement, and sends the chunks for which the window now has room.
    void acked(const proto::SnapshotAck& ack, const std::string& from);
    void drop_stalled();
    /// Drops all. The receivers pull again.
    void clear() { outgoing_.clear(); }

    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct Outgoing {
        std::weak_ptr<const Replica> table;  // expires when the table is replaced or forgotten
        SnapshotSender sender;
    };
    /// Returns false if nothing is left to send.
    bool send_chunks(const std::string& to, Outgoing& outgoing);

    Context& ctx_;
    Peers& peers_;
    std::map<std::pair<std::string, std::string>, Outgoing> outgoing_;  // by receiver and origin
};

}  // namespace muster::cluster
