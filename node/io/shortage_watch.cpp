#include "node/io/shortage_watch.hpp"

#include <cerrno>
#include <string>
#include <utility>

#include "node/io/shortage.hpp"

namespace muster::node {
namespace {

constexpr auto kCalm = std::chrono::seconds(3);  // without a refusal, after which a shortage is over

}  // namespace

void ShortageWatch::check(cluster::Instant now, int scarce) {
    const auto [count, error] = counters_.resources_refused();
    const bool refused = count != seen_;
    seen_ = count;
    if (refused || scarce != 0) {
        last_ = now;
        if (std::exchange(short_, true)) return;
        at_begin_ = refused ? count - 1 : count;
        const auto why = reason_and_advice(refused ? error : scarce);
        log_({2, "resources_short", "resources are short: " + why + "; going on, and trying again", {{"detail", why}}});
    } else if (short_ && now - last_ >= kCalm && (error != EAGAIN || why_no_threads(1) == 0)) {
        short_ = false;
        const auto times = std::to_string(count - at_begin_);
        log_({1, "resources_back", "resources are no longer short, after " + times + " refusals", {{"detail", times}}});
    }
}

}  // namespace muster::node
