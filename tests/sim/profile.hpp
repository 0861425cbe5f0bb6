// What one run is like; everything in it follows from the seed. Runs differ in
// which faults they have at all, so that rare combinations come up by themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/options.hpp"
#include "tests/sim/network.hpp"

namespace muster::sim {

/// What the command line or a test fixes; zero leaves it to the seed.
struct Wishes {
    std::uint64_t seed = 1;
    std::size_t nodes = 0;
    Duration faults{0};  // length of the safety phase
    bool verbose = false;
    std::optional<bool> keys{};
    bool never_heal = false;                // canary: the cluster stays split, so liveness must be missed
    std::function<void(Duration)> lived{};  // hears of the virtual time of the safety phase, bit by bit, as it passes
    bool direct_calls = false;              // of handlers, by Core::join and Core::leave instead of events
    bool newer = false;                     // some nodes and workers speak a newer minor, whatever the seed says
};

/// Of all nodes but outsiders.
inline constexpr const char* kScope = "sim";

/// A node that has no business in the cluster: under another's name, or of another scope.
struct Impostor {
    std::string name;
    std::string scope;
    bool clone = false;     // tells others the addresses of the node that has this name, as a copied configuration does
    bool stranger = false;  // of another cluster, which begins with the first of these
    Place place = 0;        // of another host, whose machine this node gets; 0: its own
};

/// Handlers inside the nodes: at once and without bounds, unless drawn otherwise.
struct HandlerProfile {
    Duration usual{0};                 // in which one returns, at most
    std::uint64_t block_permille = 0;  // of the calls during the faults take up to `block`
    Duration block{0};
    std::uint64_t inbox = 65536;  // members that notifications may wait for
    std::uint64_t seed = 0;
};

struct Profile {
    std::size_t nodes = 3;
    std::size_t workers = 2;
    std::vector<Impostor> impostors;
    std::vector<std::string> names;         // of the nodes; else n0, n1, …
    Duration lateness = microseconds(300);  // of a timer, at most
    Duration faults = seconds(4);
    Duration fault_every = milliseconds(400);
    Duration work_every = milliseconds(150);  // between two calls at one node or worker
    bool calm = false;                        // no fault but jitter and lost gossip: nobody may be declared down
    bool never_heal = false;
    bool direct_calls = false;  // see Wishes
    bool big_groups = false;    // joins of thousands, and metadata that fills snapshots
    bool bursts = false;        // of notifications, that fill queues
    bool heal_with_cuts = false;
    bool heal_with_port_cuts = false;
    bool port_cut_at_start = false;
    bool stop_one_for_good = false;                        // at the healing
    bool replays = false;                                  // frames are kept to be given again
    bool late_start = false;                               // one node starts in the midst of the faults
    std::vector<std::pair<Fault, std::uint64_t>> weights;  // of the faults that this run has
    NetworkProfile network;
    cluster::SessionTiming session;
    Duration handover_window = cluster::Timing{}.handover_window;
    std::uint64_t older_workers_permille = 0;  // that know neither handovers nor calls that outlive a node
    Duration link_retention = cluster::Timing{}.link_retention;
    cluster::Bounds bounds;
    std::map<Place, cluster::Bounds> own_bounds;  // of places that have others than the rest
    HandlerProfile handlers;
    std::uint64_t keys = 0;                       // what all keys are drawn from; 0: none
    std::uint64_t check_every = 8;                // steps between two full checks of a core
    std::vector<std::vector<std::size_t>> seeds;  // node -> the nodes whose doors it is given
    std::vector<bool> newer;                      // place -> speaks a newer minor; empty: nobody does

    [[nodiscard]] std::size_t places() const { return nodes + workers + impostors.size(); }
    [[nodiscard]] bool is_newer(Place place) const { return place < newer.size() && newer[place]; }
    [[nodiscard]] std::string name_of(Place place) const {
        return names.empty() ? 'n' + std::to_string(place) : names[place];
    }
    [[nodiscard]] std::vector<std::size_t> seeds_of(Place place) const;
    [[nodiscard]] std::string to_text() const;
};

Profile draw_profile(const Wishes& wishes, Random random);

/// Whether the nodes for which `running` holds, one at least, reach each other
/// along their seeds, where only pairs for which `open` holds reach each other.
bool seeds_connect(const Profile& profile, const std::vector<bool>& running,
                   const std::function<bool(Place, Place)>& open);

}  // namespace muster::sim
