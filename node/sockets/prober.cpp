#include "node/sockets/prober.hpp"

#include <algorithm>
#include <utility>

#include "node/io/address.hpp"
#include "node/io/clock.hpp"

namespace muster::node {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);
constexpr std::size_t kMaxAddresses = 8;  // of one name; if it has more, nothing is concluded

enum class Verdict { open, gone, not_known };

/// Gone, if every address that can be reached refuses.
Verdict verdict_of(std::vector<PortProbe>& ports) {
    bool refused = false;
    bool open = false;
    for (auto& port : ports) {
        const auto state = port.state();
        if (state == PortProbe::State::connected || state == PortProbe::State::failed) return Verdict::not_known;
        refused = refused || state == PortProbe::State::refused;
        open = open || state == PortProbe::State::connecting;
    }
    if (open) return Verdict::open;
    return refused ? Verdict::gone : Verdict::not_known;
}

}  // namespace

void Prober::check(const NodeId& peer, const std::string& address, const Emit& emit) {
    if (probes_.size() + waiting_.size() >= kMaxProbes) return;
    // The last good answer: it is where the process was, and a killed process is to be found dead within milliseconds.
    if (const auto found = resolver_.ask(address, Resolver::Accept::last)) return start(peer, found->numeric, emit);
    waiting_.emplace(address, peer);
}

void Prober::resolved(const Resolver::Found& found, const Emit& emit) {
    const auto [first, last] = waiting_.equal_range(found.address);
    for (auto one = first; one != last; ++one) start(one->second, found.numeric, emit);
    waiting_.erase(first, last);
}

void Prober::start(const NodeId& peer, const std::vector<std::string>& numeric, const Emit& emit) {
    if (numeric.size() > kMaxAddresses) return;
    std::vector<PortProbe> ports;
    for (const auto& one : numeric)
        if (const auto address = parse_address(one)) ports.emplace_back(*address);
    const auto verdict = verdict_of(ports);
    if (verdict == Verdict::gone) emit(cluster::ProcessGone{peer});
    if (verdict == Verdict::open) probes_.push_back({std::move(ports), peer, now() + kPatience});
}

void Prober::add_to(Poller& poller) {
    for (Probe& probe : probes_)
        for (PortProbe& port : probe.ports)
            if (port.state() == PortProbe::State::connecting) poller.add(port.fd(), POLLOUT);
}

void Prober::drain(const Emit& emit) {
    const auto at = now();
    std::erase_if(probes_, [&](Probe& probe) {
        const auto verdict = verdict_of(probe.ports);
        if (verdict == Verdict::gone) emit(cluster::ProcessGone{probe.peer});
        return verdict != Verdict::open || at >= probe.deadline;
    });
}

}  // namespace muster::node
