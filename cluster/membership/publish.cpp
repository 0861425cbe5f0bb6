#include "cluster/membership/publish.hpp"

#include <utility>

#include "cluster/membership/seal.hpp"

namespace muster::cluster {
namespace {

/// The shell sends heartbeats under a topic of their own, and a seal hides what is inside it.
Publish::Kind kind_of(const proto::Body& body) {
    if (std::holds_alternative<proto::Heartbeat>(body)) return Publish::Kind::heartbeat;
    if (std::holds_alternative<proto::Deltas>(body)) return Publish::Kind::deltas;
    return Publish::Kind::news;
}

}  // namespace

void publish(Context& context, proto::Body body, std::uint64_t seq) {
    const auto kind = kind_of(body);
    context.emit(Publish{sealed(context, context.message(std::move(body), seq)), kind});
}

}  // namespace muster::cluster
