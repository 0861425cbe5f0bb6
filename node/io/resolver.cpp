#include "node/io/resolver.hpp"

#include <algorithm>
#include <utility>

#include "node/io/address.hpp"

namespace muster::node {

Resolver::Resolver(std::function<void()> wake, NameService& service)
    : service_(service), listener_(std::make_shared<NameListener>(std::move(wake))) {}

Resolver::~Resolver() {
    listener_->close();
}

std::optional<Resolver::Found> Resolver::ask(const std::string& address, Accept accept) {
    const auto parsed = parse_address(address);
    if (!parsed) return Found{address, {}, true};
    const auto& [host, port] = *parsed;
    if (is_numeric(host)) return Found{address, {with_port(host, port)}, true};
    if (awaited_.contains(address) && accept == Accept::fresh) return std::nullopt;
    const auto now = std::chrono::steady_clock::now();
    const auto answer = service_.known(host);
    const bool is_fresh = answer.ended > 0 && !answer.failed && now - answer.ended_at < kFresh;
    if (is_fresh) return found(address, port, answer, true);
    const bool asked = service_.look_up(host, listener_);
    if (!answer.hosts.empty() && (accept == Accept::last || !asked)) return found(address, port, answer, false);
    if (!asked) return Found{address, {}, false};
    awaited_.try_emplace(address, Awaited{host, port, answer.ended, now + kPatience, !answer.hosts.empty()});
    return std::nullopt;
}

std::vector<Resolver::Found> Resolver::take(Instant now) {
    std::vector<Found> taken;
    for (auto it = awaited_.begin(); it != awaited_.end();) {
        const auto& [address, awaited] = *it;
        const auto answer = service_.known(awaited.host);
        const bool has_ended = answer.ended != awaited.ended || !answer.pending;
        if (!has_ended && !(awaited.has_last && now >= awaited.until)) {
            ++it;
            continue;
        }
        taken.push_back(found(address, awaited.port, answer, has_ended && !answer.failed));
        it = awaited_.erase(it);
    }
    return taken;
}

Resolver::Instant Resolver::deadline() const {
    auto next = Instant::max();
    for (const auto& [address, awaited] : awaited_)
        if (awaited.has_last) next = std::min(next, awaited.until);
    return next;
}

Resolver::Found Resolver::found(const std::string& address, std::uint16_t port, const NameService::Answer& answer,
                                bool is_current) {
    Found result{address, {}, is_current};
    for (const auto& host : answer.hosts) result.numeric.push_back(with_port(host, port));
    return result;
}

}  // namespace muster::node
