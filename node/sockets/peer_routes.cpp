#include "node/sockets/peer_routes.hpp"

#include <algorithm>
#include <utility>

#include "node/io/address.hpp"
#include "node/io/clock.hpp"

namespace muster::node {
namespace {

/// Makes `used` the last. The peer was not heard there, even if something accepts connections.
void put_last(std::vector<std::string>& candidates, const std::string& used) {
    const auto at = std::find(candidates.begin(), candidates.end(), used);
    if (at != candidates.end()) std::rotate(candidates.begin(), at + 1, candidates.end());
}

}  // namespace

void PeerRoutes::find(const std::string& peer, const std::string& address) {
    Route& route = routes_[peer];
    if (searching_.contains(peer) && route.address == address) return;
    route = Route{address, route.used};
    searching_.insert(peer);
    look_up(peer, route);
}

void PeerRoutes::look_up(const std::string& peer, Route& route) {
    if (auto found = resolver_.ask(route.address))
        try_all(peer, route, std::move(found->numeric));
    else
        route.is_awaited = true;
}

void PeerRoutes::forget(const std::string& peer) {
    routes_.erase(peer);
    searching_.erase(peer);
}

void PeerRoutes::resolved(const Resolver::Found& found) {
    for (auto& [peer, route] : routes_)
        if (route.is_awaited && route.address == found.address) try_all(peer, route, found.numeric);
}

void PeerRoutes::try_all(const std::string& peer, Route& route, std::vector<std::string> candidates) {
    route.is_awaited = false;
    if (candidates.size() > kMaxAddresses) candidates.resize(kMaxAddresses);
    if (candidates.empty()) {
        route.again_at = now() + kAgainAfter;
        return;
    }
    if (candidates.size() == 1) return use(peer, route, std::move(candidates.front()));
    put_last(candidates, route.used);
    route.candidates = std::move(candidates);
    route.next_at = now();
    route.until = now() + kPatience + kNextAfter * route.candidates.size();
    advance(peer, route);
}

void PeerRoutes::advance() {
    if (searching_.empty()) return;
    for (const auto& peer : std::set(searching_)) {
        Route& route = routes_.at(peer);
        if (!route.candidates.empty())
            advance(peer, route);
        else if (!route.is_awaited && now() >= route.again_at)
            look_up(peer, route);
    }
}

void PeerRoutes::advance(const std::string& peer, Route& route) {
    const auto at = now();
    for (;;) {
        bool is_open = false;
        for (std::size_t i = 0; i < route.probes.size(); ++i) {
            const auto state = route.probes[i].state();
            if (state == PortProbe::State::connected) return use(peer, route, route.candidates[i]);
            is_open = is_open || state == PortProbe::State::connecting;
        }
        const bool is_last = route.probes.size() == route.candidates.size();
        if (at >= route.until || (is_last && !is_open)) return use(peer, route, route.candidates.front());
        if (is_last || (is_open && at < route.next_at)) return;
        route.probes.emplace_back(*parse_address(route.candidates[route.probes.size()]));  // numeric, so it is valid
        route.next_at = at + kNextAfter;
    }
}

void PeerRoutes::use(const std::string& peer, Route& route, std::string numeric) {
    route.candidates.clear();
    route.probes.clear();
    searching_.erase(peer);
    route.used = std::move(numeric);
    connect_(peer, route.used, route.address);
}

void PeerRoutes::add_to(Poller& poller) {
    for (const auto& peer : searching_)
        for (auto& probe : routes_.at(peer).probes)
            if (probe.state() == PortProbe::State::connecting) poller.add(probe.fd(), POLLOUT);
}

}  // namespace muster::node
