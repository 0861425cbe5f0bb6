#include "tests/sim/hostile.hpp"

#include "proto/codec.hpp"

namespace muster::sim {
namespace {

using namespace proto;  // NOLINT(google-build-using-namespace): this file forges messages

Frame frame_of(std::string bytes) {
    return std::make_shared<const std::string>(std::move(bytes));
}

Frame noise(Random& random) {
    std::string bytes(random.below(200), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    return frame_of(std::move(bytes));
}

/// A real frame, cut short: never a message, because every byte of one is needed.
Frame torn(const World& world, Random& random) {
    if (world.journal.entries().empty()) return noise(random);
    const std::string& whole = *random.pick(world.journal.entries()).frame;
    return frame_of(whole.substr(0, random.below(whole.size())));
}

/// What a message may say about a member of the cluster, true or not.
class Forger {
public:
    Forger(const World& world, const Host& victim, Random& random) : victim_(victim), random_(random) {
        const auto running = world.running();
        other_ = random_.pick(running);
    }

    Message forge() {
        switch (random_.below(10)) {
            case 0:
                return from({"nobody", Incarnation{7}}, Heartbeat{});
            case 1:
                return from({"nobody", Incarnation{7}}, PeerNews{});
            case 2: {
                Message message = from(other_->id(), Goodbye{});
                message.header.scope = "other";
                return message;
            }
            case 3:
                return from(other_->id(), WorkerHello{});
            case 4:
                return from(other_->id(), LinkAck{victim_.id(), 1ull << 40});
            case 5:
                return from(other_->id(), Relay{victim_.name(), "no message", random_.next()});
            case 6:
                return from(other_->id(), Relay{"nobody", encode(from(other_->id(), Ping{})), random_.next()});
            case 7:
                return wrong_digest();
            case 8:
                return from(other_->id(), Deltas{{"nobody", Incarnation{7}}, Seq{1}, {}});
            default:
                return from(other_->id(), broken_snapshot());
        }
    }

private:
    static Message from(const NodeId& id, Body body, std::uint64_t seq = 0) {
        return {{kScope, id.name, id.incarnation.value, seq}, std::move(body)};
    }
    /// As a node would say whose table had been damaged: a snapshot must follow.
    Message wrong_digest() {
        const Seq applied = victim_.core().applied(other_->name());
        return from(other_->id(), Heartbeat{0, random_.next(), 0}, applied.value);
    }
    SnapshotChunk broken_snapshot() {
        SnapshotChunk chunk{other_->id(), other_->core().applied(other_->name()), random_.next(), 0, 1, {}};
        chunk.groups.push_back({{"forged", "forged"}, {{MemberNumber{1}, 1, "", {}}}});
        return chunk;
    }

    const Host& victim_;
    Random& random_;
    const Host* other_;
};

}  // namespace

void send_hostile(World& world, Host& victim, Random& random) {
    const auto channel = random.permille(500) ? cluster::Channel::gossip : cluster::Channel::control;
    switch (random.below(4)) {
        case 0:
            return victim.inject(channel, noise(random));
        case 1:
            return victim.inject(channel, torn(world, random));
        default:
            return victim.inject(channel, frame_of(encode(Forger(world, victim, random).forge())));
    }
}

bool replay_frame(World& world, Random& random) {
    if (world.journal.entries().empty()) return false;
    const Journal::Entry entry = random.pick(world.journal.entries());
    if (!entry.host->running()) return false;
    entry.host->inject(entry.channel, entry.frame);
    return true;
}

}  // namespace muster::sim
