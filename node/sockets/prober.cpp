#include "node/sockets/prober.hpp"

#include <utility>

#include "node/io/address.hpp"
#include "node/io/clock.hpp"

namespace muster::node {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);

}  // namespace

void Prober::check(const NodeId& peer, const std::string& address, const Emit& emit) {
    const auto parsed = parse_address(address);
    if (!parsed || probes_.size() + waiting_.size() >= kMaxProbes) return;
    if (is_numeric(parsed->host)) return start(peer, address, emit);
    if (resolver_.ask(address)) waiting_.emplace(address, peer);
}

void Prober::resolved(const Resolver::Found& found, const Emit& emit) {
    const auto [first, last] = waiting_.equal_range(found.address);
    // If a name has several addresses, it is not known which one the process had. A refusal at another one proves
    // nothing.
    if (found.numeric.size() == 1)
        for (auto one = first; one != last; ++one) start(one->second, found.numeric.front(), emit);
    waiting_.erase(first, last);
}

void Prober::start(const NodeId& peer, const std::string& numeric, const Emit& emit) {
    const auto address = parse_address(numeric);
    if (!address) return;
    PortProbe probe(*address);
    const auto state = probe.state();
    if (state == PortProbe::State::connecting)
        probes_.push_back({std::move(probe), peer, now() + kPatience});
    else if (state == PortProbe::State::refused)
        emit(cluster::ProcessGone{peer});
}

void Prober::add_to(std::vector<zmq::pollitem_t>& items) const {
    for (const Probe& probe : probes_) items.push_back({nullptr, probe.port.fd(), ZMQ_POLLOUT, 0});
}

void Prober::drain(const Emit& emit) {
    const auto at = now();
    std::erase_if(probes_, [&](Probe& probe) {
        const auto state = probe.port.state();
        if (state == PortProbe::State::refused) emit(cluster::ProcessGone{probe.peer});
        return state != PortProbe::State::connecting || at >= probe.deadline;
    });
}

}  // namespace muster::node
