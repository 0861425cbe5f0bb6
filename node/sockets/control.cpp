#include "node/sockets/control.hpp"

#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr int kSendQueue = 1000;  // unused: nothing is sent

}  // namespace

Control::Control(zmq::context_t& context, NodeCounters& counts, Security& security, Connections::Bounds bounds)
    : counts_(counts),
      security_(security),
      server_(
          context, [&context] { return make_router(context, kSendQueue); }, kNodesOnly, security, bounds, counts,
          counts.connections.control) {}

std::size_t Control::drain(const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    for (; taken < budget && receive(server_.socket(), parts); ++taken) {
        counts_.received();
        server_.connections().took(parts);
        if (parts.count != 2) {
            counts_.bad_parts();
            continue;
        }
        const auto sender = security_.sender_of(parts.last);
        if (!sender) continue;
        auto decoded = proto::decode(text_of(parts.last));
        if (decoded)
            emit(cluster::MessageArrived{cluster::Channel::control, {}, {}, std::move(*decoded), *sender});
        else
            counts_.bad(decoded.error());
    }
    return taken;
}

}  // namespace muster::node
