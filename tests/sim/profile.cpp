#include "tests/sim/profile.hpp"

#include <algorithm>
#include <sstream>

namespace muster::sim {
namespace {

constexpr std::pair<Fault, std::uint64_t> kFaultWeights[] = {
    {Fault::crash, 6},           {Fault::shutdown, 4},         {Fault::pause, 6},          {Fault::partition, 6},
    {Fault::pair_cut, 8},        {Fault::one_way_cut, 6},      {Fault::link_reset, 10},    {Fault::loss_burst, 6},
    {Fault::slow_links, 3},      {Fault::worker_crash, 4},     {Fault::worker_goodbye, 2}, {Fault::worker_pause, 4},
    {Fault::worker_cut, 5},      {Fault::worker_reconnect, 8}, {Fault::mass_restart, 2},   {Fault::name_conflict, 6},
    {Fault::replayed_frame, 12}, {Fault::hostile_frame, 12}};

constexpr std::uint64_t kPortCutWeight = 10;
constexpr std::uint64_t kForgottenWeight = 10;
constexpr std::uint64_t kKeyReplacedWeight = 10;

void draw_network(Profile& profile, Random& random) {
    NetworkProfile& network = profile.network;
    network.latency = random.within(microseconds(50), random.permille(300) ? milliseconds(15) : milliseconds(1));
    network.jitter = random.within(microseconds(50), random.permille(300) ? milliseconds(30) : milliseconds(2));
    if (random.permille(300)) network.spike_permille = random.between(1, 20);
    if (random.permille(600)) network.gossip_loss_permille = random.between(1, 60);
    if (random.permille(300)) network.gossip_double_permille = random.between(1, 30);
    network.spike = random.within(milliseconds(10), milliseconds(200));
    network.early_end_permille = 500;
}

void draw_bounds(Profile& profile, Random& random) {
    cluster::Bounds& bounds = profile.bounds;
    if (random.permille(300)) bounds.log_deltas = random.between(4, 32);
    if (random.permille(150)) bounds.log_bytes = random.between(500, 8000);
    if (random.permille(250)) bounds.early_deltas = random.between(2, 16);
    if (random.permille(500)) bounds.chunk_bytes = random.between(1, 400);
    if (random.permille(300)) {
        bounds.answer_bytes_per_turn = random.between(1, 20'000);
        bounds.stream_bytes_per_turn = random.between(1, 20'000);
    }
    if (random.permille(150)) {
        bounds.memory = random.between(150'000, 1'000'000);
        bounds.chunk_bytes = random.between(1, 400);
    }
    if (random.permille(150)) bounds.link_items = random.between(4, 32);
    if (random.permille(100)) bounds.link_bytes = random.between(2000, 8000);
    if (random.permille(300)) bounds.link_policy = OverflowPolicy::refuse_newest;
    if (random.permille(150)) bounds.backlog_items = random.between(100, 300);
    if (random.permille(500)) {
        bounds.backlog_policy = random.permille(500) ? OverflowPolicy::refuse_newest : OverflowPolicy::disconnect;
    }
    const bool short_queues =
        bounds.link_items < cluster::Bounds{}.link_items || bounds.backlog_items < cluster::Bounds{}.backlog_items;
    profile.bursts = short_queues && random.permille(400);
    if (random.permille(200)) profile.link_retention = random.within(milliseconds(100), seconds(3));
    if (random.permille(100)) profile.handover_window = random.within(seconds(1), seconds(12));
    if (random.permille(150)) bounds.recent_items = random.between(1, 40);
    if (random.permille(100)) bounds.recent_bytes = random.between(200, 4000);
    if (random.permille(400))
        profile.session.grace = random.permille(300) ? Duration(0) : random.within(milliseconds(50), seconds(2));
}

/// What arrives when the work of a turn is done waits, if there is room. Of the answer to a pull, at least some dozens
/// of deltas must fit, or a table catches up too slowly for a run. Of a snapshot, a window of chunks must fit, or each
/// attempt to copy a table ends at the same chunk. One takes up to 5,000 bytes, because metadata may take 4,200.
void leave_room_for_what_waits(cluster::Bounds& bounds) {
    constexpr std::size_t kDeltas = 64;
    constexpr std::size_t kRoom = 4 * 5000;
    const cluster::Bounds usual;
    bounds.early_deltas = std::max(bounds.early_deltas, kDeltas);
    if (bounds.early_bytes == usual.early_bytes && bounds.all_early_bytes == usual.all_early_bytes) return;
    bounds.chunk_bytes = std::min<std::size_t>(bounds.chunk_bytes, 400);
    bounds.early_bytes = std::max(bounds.early_bytes, kRoom);
    bounds.all_early_bytes = std::max(bounds.all_early_bytes, 2 * kRoom);
}

void draw_shares(cluster::Bounds& bounds, Random& random) {
    if (random.permille(200)) bounds.early_bytes = random.between(2000, 20'000);
    if (random.permille(200)) bounds.all_early_bytes = random.between(10'000, 60'000);
    if (random.permille(200)) bounds.all_log_bytes = random.between(2000, 20'000);
    if (random.permille(300)) {
        bounds.table_work = random.between(3000, 30'000);
        leave_room_for_what_waits(bounds);
    }
    if (random.permille(200)) bounds.answer_window = random.between(500, 20'000);
    if (random.permille(200)) bounds.repair_bytes_per_turn = random.between(1, 5000);
    if (random.permille(200)) bounds.unmet_peers = random.between(2, 6);
    if (random.permille(200)) bounds.proofs_per_tick = random.between(2, 6);
}

void draw_handlers(Profile& profile, Random& random) {
    if (!random.permille(600)) return;
    HandlerProfile& handlers = profile.handlers;
    handlers.usual = random.within(microseconds(50), milliseconds(3));
    if (random.permille(500)) {
        handlers.block_permille = random.between(1, 30);
        handlers.block = random.within(milliseconds(50), seconds(3));
        if (random.permille(600)) handlers.inbox = random.between(3, 30);
    }
    handlers.seed = random.next();
}

void draw_seeds(Profile& profile, Random& random) {
    const std::uint64_t kind = random.below(4);
    profile.seeds.resize(profile.nodes);
    for (std::size_t i = 0; i < profile.nodes; ++i) {
        if (kind == 0) {
            for (std::size_t j = 0; j < profile.nodes; ++j) profile.seeds[i].push_back(j);
        } else if (kind == 1) {
            profile.seeds[i].push_back(0);  // node 0 is its own seed, as in one config file for all
        } else if (kind == 2) {
            if (i > 0) profile.seeds[i].push_back(i - 1);
        } else {
            if (i > 0) profile.seeds[i].push_back(random.below(i));
            profile.seeds[i].push_back(random.below(profile.nodes));
        }
    }
}

void draw_impostor(Profile& profile, Random& random) {
    if (random.permille(400))
        profile.impostors.push_back({"outsider", "other", false});
    else
        profile.impostors.push_back({profile.name_of(random.below(profile.nodes)), kScope, random.permille(400)});
}

void draw_newer(Profile& profile, const Wishes& wishes, Random& random) {
    if (!random.permille(200) && !wishes.newer) return;
    for (Place place = 0; place < profile.places(); ++place) profile.newer.push_back(random.permille(500));
}

/// Mostly small: that is where orders of events are dense. Now and then many.
std::size_t draw_size(Random& random) {
    if (random.permille(2)) return random.between(20, 50);
    if (random.permille(30)) return random.between(7, 12);
    return random.between(2, 5) + random.below(2);
}

}  // namespace

std::vector<std::size_t> Profile::seeds_of(Place place) const {
    if (place < nodes) return seeds[place];
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < nodes; ++i) all.push_back(i);
    return all;
}

Profile draw_profile(const Wishes& wishes, Random random) {
    Profile profile;
    profile.nodes = wishes.nodes != 0 ? wishes.nodes : draw_size(random);
    profile.workers = random.below(4);
    profile.faults = wishes.faults > Duration(0) ? wishes.faults : random.within(seconds(1), seconds(7));
    profile.fault_every = random.within(milliseconds(100), milliseconds(1500));
    profile.work_every = random.within(milliseconds(20), milliseconds(400));
    profile.calm = random.permille(80);
    profile.older_workers_permille = 150;
    profile.never_heal = wishes.never_heal;
    profile.big_groups = random.permille(40);
    profile.late_start = !profile.calm && random.permille(200);
    if (!profile.calm && random.permille(250)) draw_impostor(profile, random);
    profile.heal_with_cuts = profile.nodes > 2 && profile.nodes <= 8 && !profile.calm && random.permille(200);
    profile.stop_one_for_good = profile.nodes > 2 && !profile.calm && !profile.heal_with_cuts && random.permille(150);
    const std::uint64_t kept = random.between(200, 1000);
    for (const auto& weight : kFaultWeights) {
        if (random.permille(kept)) profile.weights.push_back(weight);
    }
    std::erase_if(profile.weights, [&](const auto& weight) {
        return weight.first == Fault::name_conflict && profile.impostors.empty();
    });
    profile.weights.emplace_back(Fault::port_cut, kPortCutWeight);                 // in every run that has faults
    profile.weights.emplace_back(Fault::connections_forgotten, kForgottenWeight);  // the same
    profile.port_cut_at_start = !profile.calm && random.permille(200);
    profile.heal_with_port_cuts = !profile.calm && !profile.heal_with_cuts && random.permille(300);
    if (profile.calm) profile.weights = {{Fault::loss_burst, 1}};
    profile.replays = std::any_of(profile.weights.begin(), profile.weights.end(),
                                  [](const auto& weight) { return weight.first == Fault::replayed_frame; });
    draw_network(profile, random);
    draw_bounds(profile, random);
    // Their members alone would fill a small memory, and workers that are given up join them again and again.
    if (profile.big_groups) profile.bounds.memory = cluster::Bounds{}.memory;
    draw_seeds(profile, random);
    if (profile.calm) profile.weights.clear();
    if (profile.big_groups || profile.nodes > 6 || !random.permille(250)) profile.check_every = 64;
    if (profile.nodes > 6) profile.work_every *= 4;
    draw_handlers(profile, random);
    const bool keys = random.permille(400);
    if (wishes.keys.value_or(keys)) profile.keys = random.next() | 1;
    if (profile.keys != 0 && !profile.calm) profile.weights.emplace_back(Fault::key_replaced, kKeyReplacedWeight);
    profile.direct_calls = wishes.direct_calls;
    draw_newer(profile, wishes, random);
    draw_shares(profile.bounds, random);
    return profile;
}

std::string Profile::to_text() const {
    std::ostringstream out;
    const auto ms = [](Duration d) { return static_cast<double>(d.count()) / 1000.0; };
    out << "nodes " << nodes << ", workers " << workers << ", faults for " << ms(faults) << " ms, one every "
        << ms(fault_every) << " ms, work every " << ms(work_every) << " ms" << (calm ? ", calm" : "")
        << (big_groups ? ", big groups" : "") << (heal_with_cuts ? ", heals with cuts" : "")
        << (heal_with_port_cuts ? ", heals with ports cut" : "")
        << (port_cut_at_start ? ", a port cut at the start" : "") << (late_start ? ", a late start" : "")
        << (impostors.empty() ? "" : ", an impostor") << (keys == 0 ? "" : ", keys")
        << (newer.empty() ? "" : ", some of a newer minor") << "; latency " << ms(network.latency) << "+"
        << ms(network.jitter) << " ms, gossip loss " << network.gossip_loss_permille << " permille; log "
        << bounds.log_deltas << ", memory " << bounds.memory << ", answers " << bounds.answer_bytes_per_turn
        << ", streams " << bounds.stream_bytes_per_turn << ", early " << bounds.early_deltas << " in "
        << bounds.early_bytes << " bytes, work " << bounds.table_work << " a turn, window " << bounds.answer_window
        << ", chunks " << bounds.chunk_bytes << ", link " << bounds.link_items << " items, " << bounds.link_bytes
        << " bytes, " << to_string(bounds.link_policy) << ", kept for " << ms(link_retention) << " ms, remembered for "
        << ms(handover_window) << " ms, " << bounds.recent_items << " items, " << bounds.recent_bytes
        << " bytes, backlog " << bounds.backlog_items << ", " << to_string(bounds.backlog_policy) << ", grace "
        << ms(session.grace) << " ms; handlers " << ms(handlers.usual) << " ms, " << handlers.block_permille
        << " permille " << ms(handlers.block) << " ms, inbox " << handlers.inbox << "; faults:";
    for (const auto& [fault, weight] : weights) out << ' ' << to_string(fault);
    return out.str();
}

bool seeds_connect(const Profile& profile, const std::vector<bool>& running,
                   const std::function<bool(Place, Place)>& open) {
    std::vector<bool> reached(profile.nodes, false);
    const auto first = std::find(running.begin(), running.end(), true);
    if (first == running.end()) return false;
    reached[static_cast<std::size_t>(first - running.begin())] = true;
    for (std::size_t round = 0; round < profile.nodes; ++round) {
        for (std::size_t i = 0; i < profile.nodes; ++i) {
            for (const std::size_t j : profile.seeds[i]) {
                if (!open(i, j)) continue;
                if (running[i] && running[j] && (reached[i] || reached[j])) reached[i] = reached[j] = true;
            }
        }
    }
    for (std::size_t i = 0; i < profile.nodes; ++i) {
        if (running[i] && !reached[i]) return false;
    }
    return true;
}

}  // namespace muster::sim
