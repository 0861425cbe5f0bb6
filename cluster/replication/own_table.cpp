#include "cluster/replication/own_table.hpp"

#include <utility>

#include "cluster/base/share.hpp"
#include "cluster/base/wire_size.hpp"
#include "cluster/check.hpp"
#include "cluster/membership/publish.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {

OwnTable::OwnTable(Context& context, Peers& peers, const Replica::Setup& setup, GroupUpdates& updates)
    : ctx_(context),
      peers_(peers),
      updates_(updates),
      total_(setup.total),
      replica_(std::make_shared<Replica>(context.self, setup)) {
    replica_->show();
}

std::optional<Error> OwnTable::why_full(const proto::Delta& join) const {
    const Bounds& bounds = ctx_.options.bounds;
    const Replica::Size has = replica_->size();
    const Replica::Size more = Replica::added_by(join);
    const auto full = [&](std::uint64_t most, const char* what) {
        ctx_.count("joins_refused_table");
        return Error{ErrorCode::overloaded, "node '" + ctx_.self.name + "' may have at most " + std::to_string(most) +
                                                what + ": leave some first, or join at another node"};
    };
    const Share members = Share{bounds.table_members, bounds.all_members}.for_owner();
    const Share bytes = Share{bounds.table_bytes, bounds.all_table_bytes}.for_owner();
    if (!members.allows(has.members + more.members, total_.members - has.members, total_.tables))
        return full(members.each, " members");
    if (!bytes.allows(has.bytes + more.bytes, total_.bytes - has.bytes, total_.tables))
        return full(bytes.each, " bytes of groups and metadata");
    return std::nullopt;
}

void OwnTable::commit(proto::Delta delta) {
    const std::uint64_t members = members_in(delta);
    MUSTER_CHECK(members <= limits::kMembersPerFrame);
    if (unpublished_members_ + members > limits::kMembersPerFrame) publish_all();
    replica_->apply(delta, updates_);
    peers_.set_seq(replica_->applied());
    ctx_.count("deltas_committed");
    const std::size_t size = wire_size(delta);
    unpublished_.push_back(std::move(delta));
    unpublished_size_ += size;
    unpublished_members_ += members;
    if (unpublished_size_ >= limits::kChunkBytes) publish_all();
}

void OwnTable::adopt(Incarnation incarnation) {
    MUSTER_CHECK(unpublished_.empty());
    replica_->adopt(incarnation, updates_);
}

void OwnTable::publish(bool force) {
    if (force || next_publish() <= ctx_.now) publish_all();
}

void OwnTable::publish_all() {
    if (unpublished_.empty()) return;
    const Seq last = replica_->applied();
    // The unpublished deltas are the last ones of the log.
    const Seq first{last.value - unpublished_.size() + 1};
    muster::cluster::publish(ctx_, proto::Deltas{replica_->id(), first, std::exchange(unpublished_, {})}, last.value);
    unpublished_size_ = 0;
    unpublished_members_ = 0;
    earliest_publish_ = ctx_.now + ctx_.options.timing.publish_gap;
}

}  // namespace muster::cluster
