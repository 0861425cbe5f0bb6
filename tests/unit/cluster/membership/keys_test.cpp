// A cluster with keys, in which member b lies: each lie is refused and counted, and harms nobody.
#include <gtest/gtest.h>

#include <algorithm>

#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "tests/sim/notary.hpp"
#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

constexpr std::uint64_t kSecret = 7;
using std::chrono::milliseconds;

Sender key_of(const std::string& node) {
    return {Sender::Role::node, node};
}

class Keys : public ThreeNodes {
protected:
    void SetUp() override {
        net.keys = true;
        net.worker_key = {Sender::Role::worker, "w"};
        net.adjust = [this](Options& options) {
            options.notary = std::make_shared<sim::Notary>(kSecret, options.self.name, replaced);
        };
        ThreeNodes::SetUp();
        net.join("c", kMe, kOrders);
    }
    NodeState state(const std::string& at, const std::string& name) {
        for (const auto& node : net.core(at).nodes())
            if (node.id.name == name) return node.state;
        return NodeState::left;
    }
    [[nodiscard]] proto::Message said_by(const NodeId& id, proto::Body body, std::uint64_t seq = 0) const {
        return {{"default", id.name, id.incarnation.value, seq}, std::move(body)};
    }
    /// b sends a message to a, with its own key.
    void b_tells_a(proto::Message message) {
        net.call("a", MessageArrived{Channel::control, {}, {}, std::move(message), key_of("b")});
    }
    void b_tells_a(proto::Body body) { b_tells_a(said_by(b(), std::move(body))); }
    /// A record about c as b can make it: signed by b.
    proto::PeerRecord of_c(NodeState state) {
        return {c(), 0, state, "c:door", "c:control", "c:gossip", Seq{}, sim::Notary(kSecret, "b").sign("c")};
    }
    static proto::Message sealed_by(const std::string& signer, const proto::Message& message) {
        proto::Sealed seal{1u << 30, proto::encode(message), {}};
        seal.signature = sim::Notary(kSecret, signer).sign(signed_bytes(seal));
        return {message.header, seal};
    }
    /// The hello of a node s that is not part of the net.
    static proto::Hello hello_of_s() {
        proto::PeerRecord self{{"s", Incarnation{1}}, 0, NodeState::alive, "s:door", "s:c", "s:g", Seq{}, {}};
        std::string bytes("muster life", 12);
        const auto append = [&](std::uint64_t number) {
            for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
        };
        const auto text = [&](const std::string& of) { append(of.size()), bytes += of; };
        text("default"), text("s"), append(1), text(self.address), text(self.control), text(self.gossip);
        self.proof = sim::Notary(kSecret, "s").sign(bytes);
        return {self};
    }
    /// A later life of c, as whoever has its present key can prove it.
    proto::PeerRecord life_of_c(std::uint64_t incarnation) const {
        proto::PeerRecord life{
            {"c", Incarnation{incarnation}}, 0, NodeState::alive, "c:door", "c:control", "c:gossip", Seq{}, {}};
        life.proof = sim::Notary(kSecret, "c", replaced).sign(signed_bytes("default", life));
        return life;
    }
    std::uint64_t incarnation_of_c(const std::string& at) {
        for (const auto& node : net.core(at).nodes())
            if (node.id.name == "c") return node.id.incarnation.value;
        return 0;
    }
    NodeId b() { return net.core("b").self(); }
    NodeId c() { return net.core("c").self(); }
    std::shared_ptr<sim::Replacements> replaced = std::make_shared<sim::Replacements>();

    /// Expects that c was not harmed.
    void expect_c_stands() {
        net.run(milliseconds(500));
        EXPECT_EQ(state("a", "c"), NodeState::alive);
        EXPECT_EQ(net.members("a", kOrders), net.members("c", kOrders));
        net.join("c", kMe, kOrders);
        EXPECT_EQ(net.members("a", kOrders), net.members("c", kOrders));
    }
};

TEST_F(Keys, EverythingWorksAsWithoutKeys) {
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
    const auto report = std::get<NotifyReport>(net.notify("b", kOrders, "1", true));
    EXPECT_EQ(report.delivered, 1u);
    for (const char* node : {"a", "b", "c"}) EXPECT_EQ(counter(node, "messages_of_false_senders"), 0u);
}

TEST_F(Keys, AMessageInAnothersNameIsRefused) {
    b_tells_a(said_by(c(), proto::Goodbye{}));
    EXPECT_EQ(counter("a", "messages_of_false_senders"), 1u);
    expect_c_stands();
}

TEST_F(Keys, APublicationMustBeSealedByItsOrigin) {
    const auto publish = [&](proto::Message message) {
        net.call("a", MessageArrived{Channel::gossip, {}, {}, std::move(message), {}});
    };
    publish(said_by(c(), proto::Goodbye{}));
    EXPECT_EQ(counter("a", "messages_unsealed"), 1u);
    publish(sealed_by("b", said_by(c(), proto::Goodbye{})));
    EXPECT_EQ(counter("a", "seals_forged"), 1u);
    publish(said_by(c(), proto::Sealed{1u << 30, "no message", "no signature"}));
    EXPECT_EQ(counter("a", "seals_broken"), 1u);
    expect_c_stands();
    publish(sealed_by("c", said_by(c(), proto::Goodbye{})));  // only the seal was wrong
    EXPECT_EQ(state("a", "c"), NodeState::left);
}

TEST_F(Keys, ARelayedMessageMustBeSealedByItsOrigin) {
    const auto goodbye = said_by(c(), proto::Goodbye{});
    b_tells_a(proto::Relay{"a", proto::encode(goodbye), 0});
    EXPECT_EQ(counter("a", "messages_unsealed"), 1u);
    b_tells_a(proto::Relay{"a", proto::encode(sealed_by("b", goodbye)), 0});
    EXPECT_EQ(counter("a", "seals_forged"), 1u);
    expect_c_stands();
    b_tells_a(proto::Relay{"a", proto::encode(sealed_by("c", goodbye)), 0});
    EXPECT_EQ(state("a", "c"), NodeState::left);
}

TEST_F(Keys, TablesOfOthersAreNotBelieved) {
    const proto::JoinRun forged{MemberNumber{2}, 1, "", {}};
    b_tells_a(proto::Deltas{c(), Seq{2}, {{{{kOrders, Reason::left, {forged}, {}}}}}});
    EXPECT_EQ(counter("a", "tables_forged"), 1u);
    b_tells_a(proto::SnapshotChunk{c(), Seq{9}, 0, 0, 1, {{kOrders, {forged}}}});
    EXPECT_EQ(counter("a", "tables_forged"), 2u);
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
    expect_c_stands();
}

TEST_F(Keys, PullsForTablesOfOthersAreRefused) {
    b_tells_a(proto::Pull{c(), Seq{}, true});
    EXPECT_EQ(counter("a", "pulls_refused"), 1u);
}

TEST_F(Keys, ReportsOfOthersCannotEndANode) {
    b_tells_a(proto::PeerNews{{of_c(NodeState::left)}});
    expect_c_stands();
    auto denied = of_c(NodeState::down);
    denied.refutation = UINT64_MAX;
    b_tells_a(proto::PeerNews{{denied}});
    EXPECT_EQ(counter("a", "refutations_unbelieved"), 1u);
    expect_c_stands();
}

TEST_F(Keys, ANewLifeNeedsProof) {
    auto later = of_c(NodeState::alive);
    later.id.incarnation = later.id.incarnation.plus(1000);
    b_tells_a(proto::PeerNews{{later}});
    EXPECT_EQ(counter("a", "lives_unproven"), 1u);
    expect_c_stands();
    // The node itself does not believe either that another node has its name.
    net.call("c", MessageArrived{Channel::control, {}, {}, said_by(b(), proto::PeerNews{{later}}), key_of("b")});
    EXPECT_EQ(counter("c", "lives_unproven"), 1u);
    expect_c_stands();
}

TEST_F(Keys, AddressesAndPositionsCountOnlyFromTheNodeItself) {
    const auto pulls = counter("a", "pulls_sent");
    auto elsewhere = of_c(NodeState::alive);
    elsewhere.refutation = 1;
    elsewhere.control = elsewhere.gossip = elsewhere.address = "b:door";
    elsewhere.seq = Seq{1u << 20};
    b_tells_a(proto::PeerNews{{elsewhere}});
    expect_c_stands();
    for (const auto& node : net.core("a").nodes()) EXPECT_TRUE(node.id.name != "c" || node.address == "c:door");
    auto newcomer = hello_of_s().self;
    newcomer.seq = Seq{1u << 20};
    b_tells_a(proto::PeerNews{{newcomer}});
    net.run(milliseconds(500));
    EXPECT_EQ(state("a", "s"), NodeState::alive);
    EXPECT_EQ(counter("a", "pulls_sent"), pulls);
}

bool is_heartbeat(const proto::Message& published) {
    auto inner = proto::decode(std::get<proto::Sealed>(published.body).message);
    return inner && std::holds_alternative<proto::Heartbeat>(inner->body);
}

TEST_F(Keys, ReplayedMessagesAreNoSignOfLife) {
    const auto kept = net.published["c"];
    const auto beat = std::find_if(kept.rbegin(), kept.rend(), is_heartbeat);
    ASSERT_NE(beat, kept.rend());
    const NodeId dead = c();
    net.failing_checks = 1000;
    net.kill("c");
    int shown_alive = 0;
    for (int i = 0; i < 60; ++i) {
        for (const auto& message : kept) net.call("a", MessageArrived{Channel::gossip, {}, {}, message, {}});
        b_tells_a(proto::Heard{
            {dead, 0, NodeState::alive, "c:door", "c:control", "c:gossip", Seq{}, {}}, 0, 0, proto::encode(*beat)});
        net.run(milliseconds(100));
        if (state("a", "c") != NodeState::down) ++shown_alive;
    }
    EXPECT_EQ(state("a", "c"), NodeState::down);
    EXPECT_LT(shown_alive, 40);  // 25 tenths of a second; 59 if either defence is gone: then only its closed ports tell
    EXPECT_GT(counter("a", "seals_seen_before"), 0u);
    EXPECT_GT(counter("a", "lives_unproven"), 0u);
}

TEST_F(Keys, ANoticeInAnotherNodesNameIsNotDelivered) {
    net.join("a", kMe, kOrders);
    const auto delivered = net.delivered.size();
    proto::Notice notice{NotificationKind::created, kOrders, {"\x01"}, c(), "", 1, 0, {}, 0};
    b_tells_a(proto::LinkData{net.core("a").self(), 1, 0, {notice}});
    EXPECT_EQ(counter("a", "notices_forged"), 1u);
    EXPECT_EQ(net.delivered.size(), delivered);
}

TEST_F(Keys, AHelloNeedsTheNodesOwnKey) {
    const proto::PeerRecord record{
        {"d", Incarnation{5}}, 0, NodeState::alive, "d:door", "d:control", "d:gossip", Seq{}, {}};
    const ConnectionId connection{77};
    const auto refused = [&](const Sender& sender, const proto::PeerRecord& self) {
        net.call("a", MessageArrived{Channel::door, connection, {}, said_by(self.id, proto::Hello{self}), sender});
        const auto sent = net.take_sent(connection);
        return sent.size() == 1 ? std::get<proto::Refuse>(sent.front().body).text : "not refused";
    };
    EXPECT_EQ(refused({Sender::Role::worker, "w"}, record), "this is not the key of a node: use the key of node 'd'");
    EXPECT_EQ(refused(key_of("b"), record), "this is the key of node 'b': node 'd' needs its own");
    EXPECT_EQ(refused(key_of("d"), record),
              "the sign-key in d.pub does not belong to this node's key: copy the file to all nodes again");
    EXPECT_EQ(state("a", "d"), NodeState::left);
}

TEST_F(Keys, AWelcomeNeedsTheNodesOwnKey) {
    net.adjust = [adjust = net.adjust](Options& options) {
        adjust(options);
        options.seeds = {"e:door"};
    };
    net.start("d");
    const proto::PeerRecord record{
        {"e", Incarnation{5}}, 0, NodeState::alive, "e:door", "e:control", "e:gossip", Seq{}, {}};
    const auto welcome = [&](const Sender& sender, Incarnation known) {
        const proto::Welcome body{record, known, {}};
        net.call("d", MessageArrived{Channel::dial, {}, "e:door", said_by(record.id, body), sender});
    };
    welcome(key_of("b"), {});
    EXPECT_EQ(counter("d", "messages_of_false_senders"), 1u);
    // A node that is who it says cannot make another give up its incarnation either.
    const NodeId before = net.core("d").self();
    welcome(key_of("e"), before.incarnation.plus(1));
    EXPECT_EQ(counter("d", "lives_unproven"), 1u);
    EXPECT_EQ(net.core("d").self(), before);
}

TEST_F(Keys, AnEarlierLifeWithALaterClockIsProven) {
    const auto earlier = c().incarnation;
    net.kill("c");
    net.run(milliseconds(100));
    net.adjust = [adjust = net.adjust](Options& options) {
        adjust(options);
        options.self.incarnation = Incarnation{1};
    };
    net.start("c", "a");
    net.run(milliseconds(3000));
    EXPECT_GT(c().incarnation, earlier);
    EXPECT_EQ(state("b", "c"), NodeState::alive);
}

/// A signature takes 0.1 ms: a frame has room for thousands of false ones, and a turn for hundreds of such frames.
TEST_F(Keys, ProofsThatOneNodeTellsOfAreCheckedSomeInEachTick) {
    class Counting final : public Notary {
    public:
        explicit Counting(std::uint64_t& checks) : checks_(checks) {}
        std::string sign(std::string_view bytes) override { return d_.sign(bytes); }
        bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) override {
            return ++checks_, d_.is_signed_by(node, bytes, signature);
        }
        [[nodiscard]] std::uint64_t removals() const override { return 0; }
        [[nodiscard]] bool is_key_of_worker(const std::string&) const override { return false; }

    private:
        sim::Notary d_{kSecret, "d"};
        std::uint64_t& checks_;
    };
    std::uint64_t checks = 0;
    const auto others =
        std::exchange(net.adjust, [&](Options& options) { options.notary = std::make_shared<Counting>(checks); });
    net.start("d", "a");
    net.adjust = others;
    net.run(milliseconds(500));

    std::vector<proto::PeerRecord> lies(1000, of_c(NodeState::alive));
    for (std::size_t i = 0; i < lies.size(); ++i) lies[i].id.incarnation = lies[i].id.incarnation.plus(1 + i);
    const auto b_tells_d = [&](proto::Body body) {
        net.call("d", MessageArrived{Channel::control, {}, {}, said_by(b(), std::move(body)), key_of("b")});
    };
    checks = 0;
    for (int i = 0; i < 20; ++i) b_tells_d(proto::PeerNews{lies});
    EXPECT_LE(checks, 128u + 20) << "some may be of others";
    EXPECT_EQ(counter("d", "lives_unproven"), 128u);
    EXPECT_EQ(counter("d", "proofs_unchecked"), 20'000u - 128);
    // Others are not kept waiting, and neither is it for long.
    net.kill("c");
    net.start("c", "a");
    EXPECT_EQ(incarnation_of_c("d"), c().incarnation.value);
    net.run(milliseconds(100));
    b_tells_d(proto::PeerNews{{life_of_c(c().incarnation.value + 1)}});
    EXPECT_EQ(counter("d", "lives_disbelieved"), 1u) << "it was checked";
}

/// A key is replaced while the node runs. Newcomers get a proof by the new key.
TEST_F(Keys, AReplacedKeyProvesTheRunningLife) {
    class Replaced final : public Notary {
    public:
        explicit Replaced(const std::uint64_t& secret) : secret_(secret) {}
        std::string sign(std::string_view bytes) override { return sim::Notary(secret_, "r").sign(bytes); }
        bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) override {
            return sim::Notary(node == "r" ? secret_ : kSecret, node).is_signed_by(node, bytes, signature);
        }
        std::uint64_t removals() const override { return 0; }
        [[nodiscard]] bool is_key_of_worker(const std::string&) const override { return false; }

    private:
        const std::uint64_t& secret_;
    };
    std::uint64_t secret = 1;
    net.adjust = [&](Options& options) {
        options.notary = std::make_shared<sim::Notary>(kSecret, options.self.name);
        if (options.self.name == "r") options.notary = std::make_shared<Replaced>(secret);
    };
    net.start("r");
    const auto proof = [&] {
        net.call("r",
                 MessageArrived{
                     Channel::door, ConnectionId{9}, {}, said_by({"s", Incarnation{1}}, hello_of_s()), key_of("s")});
        return std::get<proto::Welcome>(net.take_sent(ConnectionId{9}).back().body).self.proof;
    };
    const auto before = proof();
    secret = 2;
    net.run(std::chrono::seconds(11));
    EXPECT_NE(proof(), before);
}

constexpr std::uint64_t kToday = 1'790'000'000'000'000;  // in 2026
constexpr std::uint64_t kDay = 86'400'000'000;

TEST_F(Keys, LivesFarBeyondTheClockAreNotBelieved) {
    net.kill("c");
    for (const auto life : {UINT64_MAX, UINT64_MAX - 1, std::uint64_t{1} << 63, kToday + 30 * 365 * kDay})
        b_tells_a(proto::PeerNews{{life_of_c(life)}});
    EXPECT_EQ(counter("a", "incarnations_unbelieved"), 4u);
    EXPECT_EQ(state("a", "c"), NodeState::down);

    const auto far = life_of_c(kToday + 30 * 365 * kDay);
    net.call("a", MessageArrived{Channel::door, ConnectionId{5}, {}, said_by(far.id, proto::Hello{far}), key_of("c")});
    EXPECT_EQ(std::get<proto::Refuse>(net.take_sent(ConnectionId{5}).front().body).text,
              "the clock of node 'c' is decades ahead: set it, and start that node again");
    net.start("c", "a");
    net.run(milliseconds(500));
    EXPECT_EQ(state("a", "c"), NodeState::alive);
}

TEST_F(Keys, ANodeDoesNotTakeAnIncarnationBeyondTheClock) {
    const auto before = c();
    net.call("c",
             MessageArrived{
                 Channel::control, {}, {}, said_by(b(), proto::PeerNews{{life_of_c(UINT64_MAX - 1)}}), key_of("b")});
    EXPECT_EQ(counter("c", "incarnations_unbelieved"), 1u);
    expect_c_stands();
    EXPECT_EQ(c(), before);
}

TEST_F(Keys, ClocksThatAreWrongByYearsWork) {
    const auto begin = [&](const std::string& name, std::uint64_t incarnation) {
        net.adjust = [adjust = net.adjust, incarnation](Options& options) {
            adjust(options);
            options.self.incarnation = Incarnation{incarnation};
        };
        net.start(name, "a");
    };
    begin("right", kToday);
    begin("day", kToday + kDay);
    begin("years", kToday + 10 * 365 * kDay);
    begin("seventies", 5'000'000);
    net.run(std::chrono::seconds(5));
    for (const auto* at : {"a", "right", "day", "years", "seventies"})
        for (const auto* of : {"right", "day", "years", "seventies"})
            EXPECT_EQ(state(at, of), NodeState::alive) << of << " at " << at;
}

TEST_F(Keys, TheNextLifeAfterOneAtTheEdgeIsBelieved) {
    net.kill("c");
    const std::uint64_t edge = 76ull * 365 * kDay - 1'000'000;  // as this test's nodes started in 1970
    b_tells_a(proto::PeerNews{{life_of_c(edge)}});
    ASSERT_EQ(incarnation_of_c("a"), edge);
    net.run(std::chrono::seconds(4));
    net.start("c", "a");
    net.run(std::chrono::seconds(4));
    EXPECT_GT(c().incarnation.value, edge);
    EXPECT_EQ(state("a", "c"), NodeState::alive);
    EXPECT_EQ(state("b", "c"), NodeState::alive);
}

TEST_F(Keys, ALifeWhoseKeyWasReplacedIsForgotten) {
    net.kill("c");
    const auto stolen = kToday + 365 * kDay;
    b_tells_a(proto::PeerNews{{life_of_c(stolen)}});
    net.run(std::chrono::seconds(4));
    ASSERT_EQ(state("a", "c"), NodeState::down);
    ASSERT_EQ(incarnation_of_c("b"), stolen);

    replaced->replace("c");
    net.run(milliseconds(100));
    EXPECT_EQ(incarnation_of_c("a"), 0u);
    EXPECT_EQ(incarnation_of_c("b"), 0u);
    EXPECT_EQ(counter("a", "lives_without_key"), 1u);
    net.start("c", "a");
    net.run(milliseconds(500));
    EXPECT_EQ(state("a", "c"), NodeState::alive);
    EXPECT_EQ(state("b", "c"), NodeState::alive);
    EXPECT_LT(c().incarnation.value, stolen);
}

/// One that still counts as live, because the thief spoke for it until a moment ago.
TEST_F(Keys, ALiveLifeWhoseKeyWasReplacedIsForgottenWhenItIsSilent) {
    net.kill("c");
    b_tells_a(proto::PeerNews{{life_of_c(kToday)}});
    ASSERT_EQ(state("a", "c"), NodeState::alive);
    replaced->replace("c");
    net.run(milliseconds(2200));
    EXPECT_EQ(incarnation_of_c("a"), 0u);
}

TEST_F(Keys, ARunningNodeProvesItsLifeWithItsNewKey) {
    for (int i = 0; i < 3; ++i) {
        replaced->replace("c");
        net.run(std::chrono::seconds(3));
        expect_c_stands();
    }
    EXPECT_EQ(counter("a", "lives_without_key"), 0u);
    // The others have the new proof, and a newcomer that cannot meet c takes it from them.
    net.drop = [](const std::string& to, const proto::Message& message) {
        return (to == "c" || message.header.origin == "c") && (to == "d" || message.header.origin == "d");
    };
    net.start("d", "a");
    net.run(milliseconds(500));
    EXPECT_EQ(state("d", "c"), NodeState::alive);
}

TEST_F(Keys, ASessionBelongsToItsKey) {
    const Sender own{Sender::Role::worker, "w"};
    const Sender other{Sender::Role::observer, "w"};
    const auto attach = [&](ConnectionId connection, const Sender& sender, SessionToken token) {
        net.worker_key = sender;
        net.from_worker("a", connection, "w", token, 0, proto::WorkerHello{token, 0});
        return net.take_sent(connection).front().body;
    };
    EXPECT_TRUE(std::holds_alternative<proto::Refuse>(attach(ConnectionId{5}, {}, {})));
    const auto token = std::get<proto::WorkerWelcome>(attach(ConnectionId{5}, own, {})).token;
    EXPECT_FALSE(std::get<proto::WorkerWelcome>(attach(ConnectionId{6}, other, token)).resumed);
    net.from_worker("a", ConnectionId{6}, "w", token, 0, proto::WorkerGoodbye{});
    EXPECT_EQ(std::get<proto::Refuse>(net.take_sent(ConnectionId{6}).back().body).code, ErrorCode::unknown_session);
    EXPECT_TRUE(std::get<proto::WorkerWelcome>(attach(ConnectionId{7}, own, token)).resumed);
}

/// All see a worker by its name, so nobody may take that of another key.
TEST_F(Keys, AWorkerHasTheNameOfItsKeyOrOneBelowIt) {
    const auto why_refused = [&](const Sender& sender, const std::string& name) {
        net.worker_key = sender;
        net.from_worker("a", ConnectionId{5}, name, {}, 0, proto::WorkerHello{});
        const auto body = net.take_sent(ConnectionId{5}).front().body;
        const auto* refuse = std::get_if<proto::Refuse>(&body);
        EXPECT_TRUE(!refuse || refuse->code == ErrorCode::bad_request);
        return refuse ? refuse->text : "";
    };
    const Sender w{Sender::Role::worker, "w"};
    const std::string advice = "use the name 'w', or one that begins with 'w.'";
    EXPECT_EQ(why_refused(w, "w"), "");
    EXPECT_EQ(why_refused(w, "w.host-1.2"), "");
    EXPECT_EQ(why_refused(w, "v"), "the name 'v' does not belong to the worker key w: " + advice);
    EXPECT_EQ(why_refused(w, "w2"), "the name 'w2' does not belong to the worker key w: " + advice);
    EXPECT_EQ(why_refused({Sender::Role::observer, "o"}, "w"),
              "the name 'w' does not belong to the observer o: use the name 'o', or one that begins with 'o.'");
    // Of two keys that a name begins with, the longer one has it.
    EXPECT_EQ(why_refused(w, "w.owner"), "");
    EXPECT_EQ(why_refused(w, "w.own"), "the name 'w.own' does not belong to the worker key w: " + advice);
    EXPECT_EQ(why_refused(w, "w.own.1"), "the name 'w.own.1' does not belong to the worker key w: " + advice);
    EXPECT_EQ(why_refused({Sender::Role::worker, "w.own"}, "w.own.1"), "");
    EXPECT_EQ(counter("a", "workers_refused_name"), 5u);
}

TEST_F(Keys, AWelcomeNamesTheKeysOfOtherNodes) {
    net.worker_key = {Sender::Role::worker, "w"};
    net.from_worker("a", ConnectionId{5}, "w", {}, 0, proto::WorkerHello{});
    EXPECT_EQ(std::get<proto::WorkerWelcome>(net.take_sent(ConnectionId{5}).front().body).nodes,
              (std::vector<std::string>{"b@b:door", "c@c:door"}));
}

/// Nodes may use the front door of another node like observers.
TEST_F(Keys, ObserversAndNodesMayOnlyRead) {
    std::uint64_t refused = 0;
    for (const Sender& key :
         {Sender{Sender::Role::observer, "o"}, Sender{Sender::Role::operator_, "ops"}, key_of("b")}) {
        net.worker_key = key;
        net.from_worker("a", ConnectionId{5}, key.name, {}, 0, proto::WorkerHello{});
        const auto token = std::get<proto::WorkerWelcome>(net.take_sent(ConnectionId{5}).front().body).token;
        std::uint64_t number = 0;
        const auto answer = [&](proto::Body body) {
            net.from_worker("a", ConnectionId{5}, key.name, token, ++number, std::move(body));
            const auto sent = net.take_sent(ConnectionId{5});
            const auto reply = std::find_if(sent.begin(), sent.end(),
                                            [&](const auto& message) { return message.header.seq == number; });
            return reply == sent.end() ? proto::Body{} : reply->body;
        };
        const auto code = [&](proto::Body body) { return std::get<proto::ErrorReply>(answer(std::move(body))).code; };
        EXPECT_EQ(code(proto::JoinRequest{kOrders, 1, {}, false, 0}), ErrorCode::refused);
        EXPECT_EQ(code(proto::LeaveRequest{kOrders, {}, 1}), ErrorCode::refused);
        EXPECT_EQ(code(proto::NotifyRequest{NotificationKind::created, kOrders, {"\x01"}, false, 0}),
                  ErrorCode::refused);
        EXPECT_EQ(counter("a", "requests_of_observers_refused"), refused += 3);
        EXPECT_EQ(std::get<proto::MembersReply>(answer(proto::MembersRequest{kOrders, false})).members.size(), 1u);
        EXPECT_TRUE(std::holds_alternative<proto::DoneReply>(answer(proto::WatchRequest{kOrders})));
        EXPECT_EQ(net.members("a", kOrders).size(), 1u);
        const bool may_administer = key.role == Sender::Role::operator_;
        EXPECT_EQ(code(proto::ForgetRequest{"nobody"}), may_administer ? ErrorCode::bad_request : ErrorCode::refused);
        for (const proto::Body& body :
             {proto::Body(proto::DrainRequest{false}), proto::Body(proto::MoveRequest{1, "b:1"})})
            EXPECT_EQ(std::holds_alternative<proto::DoneReply>(answer(body)), may_administer);
    }
    EXPECT_EQ(counter("a", "administration_refused"), 6u);
}

}  // namespace
}  // namespace muster::cluster::test
