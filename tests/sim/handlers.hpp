// The handlers inside a simulated node: what node/ does with threads and
// bounded inboxes, done in virtual time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "tests/sim/handed.hpp"
#include "tests/sim/random.hpp"

namespace muster::sim {

class Host;
struct World;

/// Each handler has an inbox of so many members, and handles one notification
/// after the other; it takes its time, and now and then is blocked for long.
class Handlers {
public:
    Handlers(World& world, Host& host);

    void take(const Handed& handed);
    /// The handler is removed: what waits for it is missed.
    void gone(cluster::HandlerId id);
    /// The process has ended.
    void forget();

private:
    struct Handler {
        std::deque<Handed> waiting;
        std::uint64_t members = 0;  // of what waits
        std::uint64_t missed = 0;   // before the first that waits
        bool busy = false;
    };

    void next(cluster::HandlerId id);
    void returned(std::uint64_t life, const Handed& handed);
    void tell(const Handed& handed, std::optional<MissReason> missed);
    [[nodiscard]] Duration draw_time();

    World& world_;
    Host& host_;
    Random random_;
    std::map<cluster::HandlerId, Handler> handlers_;
    std::vector<cluster::Outcome> outcomes_;  // not told to the core yet
};

}  // namespace muster::sim
