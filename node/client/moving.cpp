#include "node/client/moving.hpp"

#include <algorithm>

namespace muster::client {
namespace {

constexpr auto kLongest = std::chrono::seconds(5);

}  // namespace

void Moving::begin(Instant now, Duration heartbeat, std::uint64_t handled) {
    is_on_ = true;
    token_ = outbox_.token();
    session_ = outbox_.session();
    handled_ = handled;
    heartbeat_ = heartbeat;
    next_heartbeat_ = now;
    until_ = now + kLongest;
    outbox_.add(KeepOld{});
    tick(now);
}

void Moving::handled(std::uint64_t session, std::uint64_t seq) {
    if (is_on_ && session == session_) handled_ = std::max(handled_, seq);
}

void Moving::tick(Instant now) {
    if (!is_on_ || now < next_heartbeat_) return;
    next_heartbeat_ = now + heartbeat_;
    outbox_.send_old(token_, proto::WorkerHeartbeat{handled_});
}

void Moving::finish(bool moved) {
    if (!is_on_) return;
    outbox_.send_old(token_, proto::WorkerHeartbeat{handled_});
    outbox_.send_old(token_, proto::WorkerGoodbye{moved});
    close();
}

void Moving::give_up() {
    if (is_on_) close();
}

void Moving::close() {
    is_on_ = false;
    outbox_.add(CloseOld{});
}

Instant Moving::next_deadline(bool attached) const {
    if (!is_on_) return Instant::max();
    return attached ? next_heartbeat_ : std::min(next_heartbeat_, until_);
}

}  // namespace muster::client
