#include "tests/sim/handlers.hpp"

#include <utility>

#include "tests/sim/world.hpp"

namespace muster::sim {

using namespace cluster;  // NOLINT(google-build-using-namespace): this is the shell of the core

Handlers::Handlers(World& world, Host& host)
    : world_(world), host_(host), random_(mix64(world.profile.handlers.seed + host.place())) {}

void Handlers::forget() {
    handlers_.clear();
    outcomes_.clear();
}

void Handlers::take(const Handed& handed) {
    Handler& handler = handlers_[handed.handler];
    const std::uint64_t members = handed.notification.members.size();
    while (!handler.waiting.empty() && handler.members + members > world_.profile.handlers.inbox) {
        const Handed oldest = std::move(handler.waiting.front());
        handler.waiting.pop_front();
        handler.members -= oldest.notification.members.size();
        handler.missed += oldest.notification.members.size();
        world_.observer->dropped(host_, oldest);
        tell(oldest, MissReason::overflow);
    }
    handler.waiting.push_back(handed);
    handler.members += members;
    next(handed.handler);
}

void Handlers::gone(HandlerId id) {
    const auto found = handlers_.find(id);
    if (found == handlers_.end()) return;
    Handler& handler = found->second;
    if (!handler.waiting.empty()) ++world_.coverage.marks["handler removed with notifications waiting"];
    for (const Handed& handed : handler.waiting) tell(handed, MissReason::left);
    handler.waiting.clear();
    handler.members = handler.missed = 0;
}

void Handlers::next(HandlerId id) {
    Handler& handler = handlers_[id];
    if (handler.busy || handler.waiting.empty()) return;
    handler.busy = true;
    if (handler.missed != 0) {
        ++world_.coverage.marks["handler told of a gap"];
        if (world_.trace())
            world_.line(host_.name(), "handler " + std::to_string(id.value) + " is told that it missed " +
                                          std::to_string(handler.missed));
        world_.observer->gap(host_, id, std::exchange(handler.missed, 0));
    }
    Handed handed = std::move(handler.waiting.front());
    handler.waiting.pop_front();
    handler.members -= handed.notification.members.size();
    const Duration time = draw_time();
    if (time == Duration(0)) return returned(host_.lives(), handed);
    world_.clock.after(time, [this, life = host_.lives(), handed = std::move(handed)] { returned(life, handed); });
}

void Handlers::returned(std::uint64_t life, const Handed& handed) {
    if (life != host_.lives()) return;
    if (host_.stopped()) {  // the whole process is
        world_.clock.after(milliseconds(10), [this, life, handed] { returned(life, handed); });
        return;
    }
    handlers_[handed.handler].busy = false;
    world_.observer->handled(handed);
    tell(handed, std::nullopt);
    next(handed.handler);
}

/// The loop takes what handlers have to say once a turn.
void Handlers::tell(const Handed& handed, std::optional<MissReason> missed) {
    if (handed.awaited == 0) return;
    outcomes_.push_back({handed.fan_out, handed.awaited, missed});
    if (outcomes_.size() > 1) return;
    const Duration usual = world_.profile.handlers.usual;
    const Duration delay = usual == Duration(0) ? usual : random_.within(Duration(0), usual);
    world_.clock.after(delay, [this, life = host_.lives()] {
        if (life == host_.lives()) host_.call(HandlerOutcomes{std::exchange(outcomes_, {})});
    });
}

Duration Handlers::draw_time() {
    const HandlerProfile& profile = world_.profile.handlers;
    if (profile.usual == Duration(0)) return Duration(0);
    const bool blocked = random_.permille(profile.block_permille) && world_.clock.now() < world_.profile.faults;
    return random_.within(microseconds(1), blocked ? profile.block : profile.usual);
}

}  // namespace muster::sim
