#include "node/sockets/control.hpp"

#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr int kUnusedSendQueue = 1000;  // unused: nothing is sent

}  // namespace

Control::Control(zmq::context_t& context, NodeCounters& counters, Security& security, Connections::Bounds bounds)
    : counters_(counters),
      security_(security),
      server_(
          context, [&context] { return make_router(context, kUnusedSendQueue); }, kNodesOnly, security, bounds,
          counters, counters.connections.control) {}

void Control::drain(const Emit& emit, ReceiveBudget& budget) {
    Parts parts;
    while (!budget.is_spent() && receive(server_.socket(), parts)) {
        budget.spend(parts.bytes);
        counters_.received();
        const int descriptor = server_.connections().received(parts);
        if (parts.count != 2) {
            counters_.bad_parts();
            continue;
        }
        const auto sender = security_.sender_of(parts.last);
        if (!sender) continue;
        auto decoded = proto::decode(text_of(parts.last));
        if (!decoded) {
            counters_.bad(decoded.error());
            continue;
        }
        server_.connections().used(descriptor, true);
        emit(cluster::MessageArrived{cluster::Channel::control, {}, {}, std::move(*decoded), *sender});
    }
}

}  // namespace muster::node
