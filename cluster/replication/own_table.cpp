#include "cluster/replication/own_table.hpp"

#include <utility>

#include "cluster/base/wire_size.hpp"
#include "cluster/check.hpp"
#include "cluster/membership/publish.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {

OwnTable::OwnTable(Context& context, Peers& peers, const Replica::Setup& setup, GroupUpdates& updates)
    : ctx_(context), peers_(peers), updates_(updates), replica_(std::make_shared<Replica>(context.self, setup)) {
    replica_->show(true);
}

void OwnTable::commit(proto::Delta delta) {
    replica_->apply(delta, &updates_);
    peers_.set_seq(replica_->applied());
    ctx_.count("deltas_committed");
    const std::size_t size = wire_size(delta);
    unpublished_.push_back(std::move(delta));
    unpublished_size_ += size;
    if (unpublished_size_ >= limits::kChunkBytes) publish_all();
}

void OwnTable::adopt(Incarnation incarnation) {
    MUSTER_CHECK(unpublished_.empty());
    replica_->collect_all(WatchEvent::Kind::leave, Reason::node_left, updates_);
    replica_->adopt(incarnation);
    replica_->collect_all(WatchEvent::Kind::join, Reason::left, updates_);
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
    earliest_publish_ = ctx_.now + ctx_.options.timing.publish_gap;
}

}  // namespace muster::cluster
