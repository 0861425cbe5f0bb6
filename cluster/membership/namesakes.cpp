#include "cluster/membership/namesakes.hpp"

#include "cluster/membership/precedence.hpp"

namespace muster::cluster {
namespace {

constexpr Duration kTakeInterval = std::chrono::seconds(1);
constexpr std::uint64_t kMaxStep = 1u << 20;

}  // namespace

void Namesakes::heard_of(const proto::PeerRecord& record) {
    if (record.id.incarnation <= ctx_.self.incarnation) return;
    if (later_ && !overrides(record, *later_)) return;
    if (!later_ || later_->id != record.id) since_ = ctx_.now;
    later_ = record;
}

bool Namesakes::runs_elsewhere(const proto::PeerRecord& life) const {
    const bool live = life.state == NodeState::alive || life.state == NodeState::suspect;
    return live && !life.address.empty() && life.address != ctx_.options.address;
}

std::string Namesakes::address_to_ask() const {
    return later_ && runs_elsewhere(*later_) ? later_->address : std::string();
}

void Namesakes::answered(const NodeId& origin, const std::string& address) {
    if (address != address_to_ask() || address.empty()) return;
    if (origin.name != ctx_.self.name) {
        later_->state = NodeState::down;  // another node has this address now
    } else if (origin.incarnation > ctx_.self.incarnation) {
        ctx_.emit(Stop{{ErrorCode::name_taken, "another life of node '" + origin.name + "' is in the cluster (" +
                                                   address + "): choose another name, or stop that one"}});
    }
}

std::optional<Incarnation> Namesakes::take_higher() {
    if (!later_) return std::nullopt;
    if (later_->id.incarnation > ctx_.self.incarnation) {
        // A node that is not ready serves nobody. It is refused wherever the other life is heard.
        const Timing& timing = ctx_.options.timing;
        const bool asks = ctx_.is_serving && runs_elsewhere(*later_) && ctx_.now - since_ < timing.name_conflict_wait;
        const bool too_soon = ctx_.is_serving && ctx_.now - taken_at_ < kTakeInterval;
        if (asks || too_soon) return std::nullopt;
        taken_at_ = ctx_.now;
        // A random distance, because two lives that learn of the same earlier one must not take the same incarnation.
        const auto higher = later_->id.incarnation.plus(1 + ctx_.random.below(kMaxStep));
        later_.reset();
        return higher;
    }
    later_.reset();
    return std::nullopt;
}

}  // namespace muster::cluster
