#include "node/client/liveness.hpp"

#include <algorithm>

namespace muster::client {
namespace {

constexpr auto kQuiet = std::chrono::milliseconds(300);

}  // namespace

void Liveness::attached(Instant now, Duration heartbeat, Duration ttl) {
    heartbeat_ = heartbeat;
    ttl_ = ttl;
    next_check_ = now + kQuiet;
    next_heartbeat_ = now + heartbeat;
}

bool Liveness::is_quiet(Instant now) const {
    return now - last_heard_ >= kQuiet;
}

bool Liveness::begin_check(Instant now) {
    if (!is_quiet(now) || now < next_check_) return false;
    next_check_ = now + kQuiet;
    return true;
}

Instant Liveness::next_deadline() const {
    return std::min({next_heartbeat_, last_heard_ + ttl_, std::max(next_check_, last_heard_ + kQuiet)});
}

}  // namespace muster::client
