#include "tests/sim/simulation.hpp"

#include <algorithm>

#include "tests/sim/faults.hpp"

namespace muster::sim {
namespace {

constexpr Duration kLiveness = seconds(20);      // after the healing, all must be settled
constexpr Duration kRollCall = seconds(10);      // and the notifications of the roll call delivered
constexpr Duration kStraightAfter = seconds(6);  // the healing: a death, the doubt of who is cut off, and a lease
constexpr Duration kHeardOf = seconds(10);       // virtual time between two words on how far it is
constexpr Duration kGivenUp = seconds(12);       // two rounds of coming up in vain
constexpr Duration kStaysSo = seconds(4);
constexpr Duration kAsleep = seconds(65);      // after which a node closes its connections to a dead one
constexpr Duration kMet = milliseconds(500);   // for a hello and its answer
constexpr Duration kLook = milliseconds(100);  // between two looks

/// What still passes between one node and all others.
enum class Left : std::uint8_t {
    front_doors,
    what_others_say,      // nothing that it says itself
    what_others_publish,  // nothing that is for it alone, either
};

class Simulation {
public:
    Simulation(const Wishes& wishes, const Sabotage& sabotage, Random random)
        : world_(draw_profile(wishes, random.fork()), random.fork(), wishes.verbose ? Transcript::print : nullptr),
          model_(world_),
          workload_(world_, model_),
          faults_(world_, workload_),
          lived_(wishes.lived) {
        world_.observer = &model_;
        world_.sabotage = sabotage;
    }

    Outcome run() {
        Outcome outcome;
        try {
            play(outcome);
        } catch (const Violation& violation) {
            outcome.verdict = Verdict::unsafe;
            outcome.why = violation.what();
        }
        outcome.hash = world_.transcript.hash();
        outcome.ended = world_.clock.now();
        for (const Host* host : world_.running()) world_.count_paths(*host);
        outcome.delivered = model_.notices().delivered();
        outcome.coverage = world_.coverage;
        return outcome;
    }

private:
    void live_until(Duration end) {
        while (world_.clock.now() < end) {
            const Duration begin = world_.clock.now();
            world_.clock.run_until(std::min(end, begin + kHeardOf));
            if (lived_) lived_(world_.clock.now() - begin);
        }
    }

    void play(Outcome& outcome) {
        if (world_.trace()) world_.line("", world_.profile.to_text());
        Random random = world_.random.fork();
        for (const auto& host : world_.hosts) {
            Duration when = random.permille(300) ? random.within(Duration(0), seconds(2)) : Duration(0);
            if (world_.profile.late_start && host == world_.hosts.back()) {
                when = random.within(seconds(2), seconds(2) + world_.profile.faults);
                world_.coverage.count(Fault::late_start);
            }
            world_.clock.after(when, [at = host.get()] {
                if (!at->running()) at->start();
            });
        }
        workload_.start();
        faults_.start();
        live_until(world_.profile.faults + seconds(2));
        if (world_.trace()) world_.line("!", "heal");
        workload_.stop();
        faults_.stop();
        const Duration healed = world_.clock.now();
        if (!settle(healed + kLiveness, outcome)) return;
        outcome.settled_after = world_.clock.now() - healed;
        if (world_.trace()) world_.line("!", "roll call");
        workload_.roll_call();
        if (!settle(world_.clock.now() + kRollCall, outcome)) return;
        // What is settled stays so.
        world_.clock.run_until(world_.clock.now() + milliseconds(1500));
        // A frozen node can have been in doubt at the healing, then heard of once more: its death is yet to come. So
        // are the doubts of a node whose connections were forgotten shortly before the healing.
        const bool forgotten = world_.network.forgotten_at() + seconds(1) >= healed;
        const Duration patience = world_.profile.stop_one_for_good || forgotten ? kStraightAfter : Duration(0);
        if (!settle(world_.clock.now() + patience, outcome)) return;
        if (random.permille(200))
            go_straight(healed, outcome);
        else if (random.permille(200))
            strand_one(random, outcome);
    }

    /// Nothing of one node reaches the others over a channel, and front doors stay open: neither it nor the others show
    /// what they cannot reach. It may hear the others all the same.
    void strand_one(Random& random, Outcome& outcome) {
        const Profile& profile = world_.profile;
        if (profile.calm || profile.heal_with_cuts || profile.heal_with_port_cuts || profile.stop_one_for_good) return;
        const Place stranded = random.below(profile.nodes);
        const auto left = static_cast<Left>(random.below(3));
        if (world_.trace())
            world_.line("!", "n" + std::to_string(stranded) + " is stranded " + std::to_string(static_cast<int>(left)));
        Network& network = world_.network;
        each_channel_of(stranded, left, [&](Place from, Place to, Port port) { network.cut(from, to, port); });
        const auto shut_doors = [&] {
            each_door_of(stranded, [&](Place from, Place to, Port port) { network.cut(from, to, port); });
        };
        // The others meet its next life, and have no way to report to it. A seed of it may be down for good.
        const auto& hosts = world_.hosts;
        const bool all_run = std::all_of(hosts.begin(), hosts.end(), [](const auto& host) { return host->running(); });
        const bool starts_again = left == Left::what_others_publish && all_run && random.permille(700);
        if (starts_again) {
            world_.hosts[stranded]->crash();
            world_.hosts[stranded]->start();
            world_.clock.run_until(world_.clock.now() + kMet);
            shut_doors();
        }
        if (!stays_apart(stranded, kGivenUp, outcome)) return;
        const bool sleeps = !starts_again && random.permille(150);
        if (sleeps) shut_doors();
        if (sleeps && !stays_apart(stranded, kAsleep, outcome)) return;
        if (starts_again || sleeps)
            each_door_of(stranded, [&](Place from, Place to, Port port) { network.mend(from, to, port); });
        each_channel_of(stranded, left, [&](Place from, Place to, Port port) { network.mend(from, to, port); });
        settle(world_.clock.now() + kLiveness, outcome);
    }

    using OfPort = std::function<void(Place, Place, Port)>;

    void each_channel_of(Place stranded, Left left, const OfPort& act) const {
        for (Place other = 0; other < world_.profile.nodes; ++other) {
            if (other == stranded) continue;
            act(stranded, other, Port::control);
            act(other, stranded, Port::gossip);
            if (left != Left::what_others_say) act(other, stranded, Port::control);
            if (left == Left::front_doors) act(stranded, other, Port::gossip);
        }
    }

    void each_door_of(Place stranded, const OfPort& act) const {
        for (Place other = 0; other < world_.profile.nodes; ++other) {
            if (other == stranded) continue;
            act(stranded, other, Port::door);
            act(other, stranded, Port::door);
        }
    }

    /// After `patience`, neither the node nor the others show the other side as alive.
    bool stays_apart(Place stranded, Duration patience, Outcome& outcome) {
        world_.clock.run_until(world_.clock.now() + patience);
        for (const Duration end = world_.clock.now() + kStaysSo; world_.clock.now() < end;) {
            world_.clock.run_until(world_.clock.now() + kLook);
            if (auto why = shows_unreachable(stranded)) {
                outcome.verdict = Verdict::stalled;
                outcome.why = *why;
                return false;
            }
        }
        return true;
    }

    std::optional<std::string> shows_unreachable(Place stranded) const {
        const std::string& alone = world_.hosts[stranded]->name();
        for (const auto& host : world_.hosts) {
            if (!host->running()) continue;
            for (const auto& node : host->core().nodes()) {
                const bool apart = host->name() != node.id.name && (host->name() == alone || node.id.name == alone);
                if (apart && node.state == NodeState::alive)
                    return host->name() + ": shows " + node.id.name + " as alive, which it cannot reach";
            }
        }
        return std::nullopt;
    }

    /// Where every way is open again, nothing goes around it for long.
    void go_straight(Duration healed, Outcome& outcome) {
        if (world_.profile.heal_with_cuts || world_.profile.heal_with_port_cuts || world_.profile.stop_one_for_good)
            return;
        world_.clock.run_until(std::max(world_.clock.now(), healed + kStraightAfter));
        const auto before = relayed();
        world_.clock.run_until(world_.clock.now() + milliseconds(500));
        if (relayed() == before) return;
        outcome.verdict = Verdict::stalled;
        outcome.why = "messages still go around ways that are open";
    }

    std::uint64_t relayed() const {
        std::uint64_t sum = 0;
        for (const auto& host : world_.hosts) {
            if (!host->running()) continue;
            const auto counters = host->core().status().counters;
            if (const auto found = counters.find("relayed_sent"); found != counters.end()) sum += found->second;
        }
        return sum;
    }

    /// Runs until all is as it must end; false when the time ran out before.
    bool settle(Duration until, Outcome& outcome) {
        while (true) {
            const bool last = world_.clock.now() >= until;
            auto why = unsettled();
            auto owed = why && !last ? std::nullopt : model_.notices().owed();
            if (!why && !owed) return true;
            if (last) {
                // A loss that nobody was told of is no lack of time.
                outcome.verdict = why ? Verdict::stalled : Verdict::unsafe;
                outcome.why = why ? *why : "lost without a report: " + *owed;
                return false;
            }
            world_.clock.run_until(std::min(until, world_.clock.now() + kLook));
        }
    }

    std::optional<std::string> unsettled() {
        if (faults_.awaits_a_node()) return "a node is about to start again";
        if (auto why = model_.unsettled()) return why;
        for (const auto& worker : workload_.workers()) {
            if (auto why = worker->unsettled()) return worker->name() + ": " + *why;
        }
        return std::nullopt;
    }

    World world_;
    Model model_;
    Workload workload_;
    Faults faults_;
    const std::function<void(Duration)> lived_;
};

}  // namespace

Outcome simulate(const Wishes& wishes, const Sabotage& sabotage) {
    return Simulation(wishes, sabotage, Random(wishes.seed)).run();
}

}  // namespace muster::sim
