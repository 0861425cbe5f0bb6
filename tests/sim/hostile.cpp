#include "tests/sim/hostile.hpp"

#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

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

/// What a member of the cluster may say of another one, with its own key and nobody else's.
class Liar {
public:
    Liar(World& world, const Host& liar, const Host& other, Random& random)
        : world_(world), liar_(liar), other_(other), random_(random) {}

    [[nodiscard]] cluster::Sender key() const { return liar_.key(); }

    /// In the other's name, over the liar's own connection or as a publication.
    Message impersonate() {
        const Message message = random_.permille(500) ? from(other_.id(), Goodbye{}) : from(other_.id(), Heartbeat{});
        switch (random_.below(3)) {
            case 0:
                return message;
            case 1:
                return seal(message);
            default:
                return from(liar_.id(),
                            Relay{victim_name(), encode(random_.permille(500) ? message : seal(message)), 0});
        }
    }

    /// A life of `stolen`, with a true proof and the addresses of the other.
    Message claim(const Host& stolen) {
        PeerRecord later{stolen.id(), 0, NodeState::alive, other_.door(), other_.control(), other_.gossip(), Seq{}, {}};
        later.id.incarnation = later.id.incarnation.plus(1 + random_.below(1ull << (random_.permille(500) ? 20 : 48)));
        if (random_.permille(300)) later.id.incarnation = Incarnation{UINT64_MAX - 1 - random_.below(64)};
        if (random_.permille(300)) later.control = stolen.control();
        if (random_.permille(300)) later.address = stolen.door();
        later.proof = world_.notary_of(stolen.name())->sign(cluster::signed_bytes(kScope, later));
        return from(liar_.id(), PeerNews{{later}});
    }

    /// In its own name, about the other, to `victim`.
    Message slander(const Host& victim) {
        switch (random_.below(9)) {
            case 0:
                return from(liar_.id(), PeerNews{{record(NodeState::left)}});
            case 1:
                return from(liar_.id(), PeerNews{{record(NodeState::down)}});
            case 2:
                return from(liar_.id(), PeerNews{{unproven_life()}});
            case 3: {
                PeerRecord denied = record(NodeState::down);
                denied.refutation = UINT64_MAX;
                return from(liar_.id(), PeerNews{{denied}});
            }
            case 4: {
                PeerRecord elsewhere = record(NodeState::alive);
                elsewhere.control = elsewhere.gossip = elsewhere.address = liar_.door();
                elsewhere.seq = Seq{UINT64_MAX};
                return from(liar_.id(), PeerNews{{elsewhere}});
            }
            case 5: {
                const Seq next = victim.core().applied(other_.name()).next();
                const Seq first = random_.permille(500) ? next : Seq{1 + random_.below(20)};
                return from(liar_.id(), Deltas{other_.id(), first, {forged_delta()}});
            }
            case 6:
                return from(liar_.id(), SnapshotChunk{other_.id(), Seq{1u << 30}, 0, 0, 1, {forged_runs()}});
            case 7:
                return from(liar_.id(), Pull{other_.id(), Seq{}, random_.permille(500)});
            default:
                return from(liar_.id(),
                            Heard{record(NodeState::alive), 0, 0, encode(seal(from(other_.id(), Heartbeat{})))});
        }
    }

    /// In its own name, about its own table and that of `victim`: to take more than its share. Nothing that stays when
    /// the faults end: deltas of positions that its log will have would be in the place of true ones. Those beyond are
    /// in tests/unit/cluster/replication/share_test.cpp.
    std::vector<Message> take_much(const Host& victim) {
        std::vector<Message> messages;
        const std::uint64_t many = 2 + random_.below(30);
        const Seq applied = victim.core().applied(liar_.name());
        switch (random_.below(5)) {
            case 0:
                for (std::uint64_t i = 0; i < many; ++i)
                    messages.push_back(
                        from(liar_.id(), Pull{victim.id(), Seq{random_.below(30)}, random_.permille(300)}));
                break;
            case 1:
                for (std::uint64_t i = 0; i < many; ++i)
                    messages.push_back(
                        from(liar_.id(), SnapshotAck{victim.id(), victim.core().applied(victim.name()), i}));
                messages.push_back(from(liar_.id(), Pong{random_.next(), other_.id(), {}, 0, 0}));
                break;
            case 2:
                messages.push_back(from(liar_.id(), Deltas{liar_.id(), applied.next(), {huge_delta()}}));
                break;
            case 3:
                messages.push_back(from(liar_.id(), PeerNews{std::vector(many, unproven_life())}));
                break;
            default: {
                Delta old = forged_delta();
                old.changes.push_back(old.changes.front());  // the same number twice
                messages.push_back(from(liar_.id(), Deltas{liar_.id(), applied.next(), {old}}));
            }
        }
        return messages;
    }

private:
    [[nodiscard]] std::string victim_name() const { return random_.pick(world_.running())->name(); }
    static Message from(const NodeId& id, Body body) {
        return {{kScope, id.name, id.incarnation.value, 0}, std::move(body)};
    }
    Message seal(const Message& message) {
        const std::string bytes = random_.permille(200) ? "no message" : encode(message);
        return {message.header, Sealed{UINT64_MAX, bytes, world_.notary_of(liar_.name())->sign(bytes)}};
    }
    [[nodiscard]] PeerRecord record(NodeState state) const {
        return {other_.id(), 0, state, other_.door(), "", "", Seq{}, {}};
    }
    [[nodiscard]] PeerRecord unproven_life() {
        PeerRecord later = record(NodeState::alive);
        later.id.incarnation = later.id.incarnation.plus(1 + random_.below(1u << 30));
        if (random_.permille(200)) later.id.incarnation = Incarnation{UINT64_MAX};
        later.proof = world_.notary_of(liar_.name())->sign("another life");
        return later;
    }
    static GroupRuns forged_runs() { return {{"forged", "forged"}, {{MemberNumber{1u << 30}, 1, "", {}}}}; }
    static Delta forged_delta() { return {{{forged_runs().group, Reason::left, forged_runs().joins, {}}}}; }
    static Delta huge_delta() {
        Delta delta = forged_delta();
        auto& joins = delta.changes.front().joins;
        for (std::uint64_t i = 1; i < 6; ++i) joins.push_back({MemberNumber{i << 32}, limits::kMembersPerCall, "", {}});
        return delta;
    }

    World& world_;
    const Host& liar_;
    const Host& other_;
    Random& random_;
};

void send_lie(World& world, Host& victim, Random& random) {
    const auto running = world.running();
    const Host* liar = random.pick(running);
    const Host* other = random.pick(running);
    if (liar->name() == other->name() || liar == &victim) return;
    Liar tongue(world, *liar, *other, random);
    if (random.permille(250)) {
        for (const Message& message : tongue.take_much(victim))
            victim.inject(cluster::Channel::control, frame_of(encode(message)), tongue.key());
        return;
    }
    const auto channel = random.permille(500) ? cluster::Channel::gossip : cluster::Channel::control;
    const bool in_another_name = random.permille(500);
    const Message lie = in_another_name ? tongue.impersonate() : tongue.slander(victim);
    victim.inject(in_another_name ? channel : cluster::Channel::control, frame_of(encode(lie)), tongue.key());
}

}  // namespace

void send_hostile(World& world, Host& victim, Random& random) {
    const auto channel = random.permille(500) ? cluster::Channel::gossip : cluster::Channel::control;
    switch (random.below(4)) {
        case 0:
            return victim.inject(channel, noise(random), {});
        case 1:
            return victim.inject(channel, torn(world, random), {});
        default:
            if (world.profile.keys != 0) return send_lie(world, victim, random);
            return victim.inject(channel, frame_of(encode(Forger(world, victim, random).forge())), {});
    }
}

void claim_life(World& world, const Host& stolen, Random& random) {
    const auto running = world.running();
    if (running.size() < 2) return;
    const Host* other = random.pick(running);
    for (Host* victim : running) {
        const Host* liar = random.pick(running);
        if (liar == victim || other->name() == stolen.name() || random.permille(200)) continue;
        Liar tongue(world, *liar, *other, random);
        victim->inject(cluster::Channel::control, frame_of(encode(tongue.claim(stolen))), tongue.key());
    }
}

bool replay_frame(World& world, Random& random) {
    if (world.journal.entries().empty()) return false;
    const Journal::Entry entry = random.pick(world.journal.entries());
    if (!entry.host->running()) return false;
    entry.host->inject(entry.channel, entry.frame, random.pick(world.running())->key());
    return true;
}

}  // namespace muster::sim
