// Tests the sockets without a core: one side performs an action, and the other emits the event.
#include "node/sockets/sockets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "node/io/address.hpp"
#include "node/io/zmq_io.hpp"
#include "node/sockets/topics.hpp"
#include "proto/bundle.hpp"
#include "proto/codec.hpp"
#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

using cluster::Channel;
using cluster::EventBody;
using cluster::MessageArrived;

/// One side: its sockets, and the events that they have emitted.
struct Side {
    explicit Side(const std::string& name, const std::string& listen = "127.0.0.1:0",
                  Connections::Bounds bounds = {16384, std::size_t{256} << 20})
        : self{name, Incarnation{7}}, wakeup(std::make_shared<Wakeup>()) {
        SocketOptions options{"test", self, listen, "", 0, 0};
        options.connections = bounds;
        auto opened =
            Sockets::open(options, counts, wakeup, [this](const LogLine& line) { warnings.push_back(line.text); });
        EXPECT_TRUE(opened.ok()) << opened.error().text;
        if (opened) sockets = std::move(*opened);
    }

    template <class Action>
    void perform(const Action& action) {
        sockets->perform(action, emit);
    }
    void turn(int milliseconds) {
        sockets->wait(std::chrono::milliseconds(milliseconds));
        sockets->drain(emit);
    }
    /// Removes and returns the first event that `wanted` accepts, and drops the events before it.
    template <class Event>
    std::optional<Event> take(const std::function<bool(const Event&)>& wanted = [](const Event&) { return true; }) {
        for (std::size_t i = 0; i < events.size(); ++i) {
            auto* event = std::get_if<Event>(&events[i]);
            if (event == nullptr || !wanted(*event)) continue;
            Event found = std::move(*event);
            events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(i) + 1);
            return found;
        }
        return std::nullopt;
    }
    [[nodiscard]] proto::Message say(std::uint64_t nonce) const {
        return {{"test", self.name, self.incarnation.value, 0}, proto::Ping{nonce}};
    }
    std::uint64_t count(const std::string& name) const {
        std::map<std::string, std::uint64_t> all;
        counts.add_to(all);
        return all.at(name);
    }

    NodeId self;
    NodeCounters counts;
    std::shared_ptr<Wakeup> wakeup;
    std::vector<EventBody> events;
    std::vector<std::string> warnings;
    Emit emit = [this](EventBody body) { events.push_back(std::move(body)); };
    std::unique_ptr<Sockets> sockets;
};

/// Turns the sides until `done` returns true. False if that took too long.
template <class Done>
bool turn_until(std::initializer_list<Side*> sides, const Done& done) {
    const auto end = std::chrono::steady_clock::now() + test::kLong;
    while (!done()) {
        if (std::chrono::steady_clock::now() > end) return false;
        for (Side* side : sides) side->turn(5);
    }
    return true;
}

void connect(Side& from, const Side& to) {
    from.perform(cluster::ConnectPeer{to.self, to.sockets->control(), to.sockets->gossip()});
}

std::function<bool(const MessageArrived&)> on(Channel channel) {
    return [channel](const MessageArrived& event) { return event.channel == channel; };
}

/// The kernel's timer on each established connection that has `address` at either end: "02" is TCP's keepalive.
std::vector<std::string> timers(const std::string& address) {
    const auto parsed = parse_address(address);
    char port[8];
    std::snprintf(port, sizeof port, ":%04X", unsigned{parsed->port});
    std::vector<std::string> found;
    std::ifstream table("/proc/self/net/tcp");
    for (std::string line; std::getline(table, line);) {
        std::istringstream in(line);
        std::string number, local, remote, state, queues, timer;
        in >> number >> local >> remote >> state >> queues >> timer;
        const bool is_ours = local.ends_with(port) || remote.ends_with(port);
        if (is_ours && state == "01") found.push_back(timer.substr(0, 2));
    }
    return found;
}

TEST(Sockets, EndsConnectionsThatNobodyUses) {
    Side a("a", "127.0.0.1:0", {1000, std::size_t{256} << 20, std::chrono::seconds(1)});
    Side b("b");
    zmq::context_t context;
    zmq::socket_t silent(context, zmq::socket_type::dealer);
    silent.set(zmq::sockopt::linger, 0);
    silent.set(zmq::sockopt::reconnect_ivl, -1);
    silent.connect(endpoint_of(a.sockets->address()));
    b.perform(cluster::Dial{a.sockets->address(), b.say(1)});
    connect(b, a);
    std::optional<MessageArrived> session;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return session || (session = a.take<MessageArrived>(on(Channel::door))); }));
    const auto used_for = [&](std::chrono::milliseconds time) {
        const auto until = std::chrono::steady_clock::now() + time;
        return turn_until({&a, &b}, [&] {
            a.perform(cluster::SendDoor{session->connection, a.say(3)});
            b.perform(cluster::SendPeer{"a", b.say(2)});
            return std::chrono::steady_clock::now() > until;
        });
    };
    EXPECT_TRUE(used_for(std::chrono::seconds(3)));
    EXPECT_EQ(a.count("connections_idle"), 1u) << "sessions and peers stay";
    EXPECT_EQ(a.count("connections_door"), 1u);
    EXPECT_EQ(a.count("connections_control"), 1u);
    EXPECT_EQ(a.count("connections_gossip"), 2u);
}

TEST(Sockets, PollsNoLongerThanItShould) {
    using std::chrono::hours;
    Side a("a");
    const auto begun = std::chrono::steady_clock::now();
    a.sockets->wait(hours(1), std::chrono::microseconds(1));
    a.sockets->wait(std::chrono::microseconds(1), hours(1));
    a.wakeup->notify();
    a.sockets->wait(hours(1), hours(1));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, hours(1));
}

TEST(Sockets, PortsAreFreeOnesBelowTheEphemeralRange) {
    const Side a("a");
    for (const auto& text : {a.sockets->address(), a.sockets->control(), a.sockets->gossip()}) {
        const auto address = parse_address(text);
        ASSERT_TRUE(address.ok());
        EXPECT_EQ(address->host, "127.0.0.1");
        EXPECT_GE(address->port, 10000);
        EXPECT_LT(address->port, 32768);
    }
}

TEST(Sockets, APortInUseIsReported) {
    const Side a("a");
    NodeCounters counts;
    const auto port = parse_address(a.sockets->address())->port;
    const std::string free = "127.0.0.1:0";
    const std::vector<std::pair<std::string, SocketOptions>> taken{
        {"--listen", {"test", {"b", Incarnation{1}}, a.sockets->address(), "", 0, 0}},
        {"--control-port", {"test", {"b", Incarnation{1}}, free, "", port, 0}},
        {"--gossip-port", {"test", {"b", Incarnation{1}}, free, "", 0, port}}};
    for (const auto& [option, options] : taken) {
        const auto opened = Sockets::open(options, counts, std::make_shared<Wakeup>(), {});
        ASSERT_FALSE(opened.ok());
        EXPECT_EQ(opened.error().code, ErrorCode::unreachable);
        EXPECT_EQ(opened.error().text, "cannot listen on " + a.sockets->address() +
                                           ": address already in use: choose another " + option +
                                           " or stop what uses it");
    }
}

TEST(Sockets, ListeningOnEveryInterfaceNeedsAnAdvertisedAddress) {
    NodeCounters counts;
    SocketOptions options{"test", {"b", Incarnation{1}}, "0.0.0.0:0", "", 0, 0};
    const auto refused = Sockets::open(options, counts, std::make_shared<Wakeup>(), {});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().text.find("--advertise"), std::string::npos);
    options.advertise = "127.0.0.1:0";
    options.insecure = true;
    const auto opened = Sockets::open(options, counts, std::make_shared<Wakeup>(), [](const LogLine&) {});
    ASSERT_TRUE(opened.ok());
    EXPECT_TRUE((*opened)->address().starts_with("127.0.0.1:")) << (*opened)->address();
}

TEST(Sockets, WhatIsPublishedAfterLinkUpArrives) {
    Side a("a");
    Side b("b");
    connect(b, a);
    std::optional<cluster::LinkUp> up;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (up = a.take<cluster::LinkUp>()).has_value(); }));
    EXPECT_EQ(up->peer, b.self);
    a.perform(cluster::Publish{a.say(1)});
    std::optional<MessageArrived> heard;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (heard = b.take<MessageArrived>()).has_value(); }));
    EXPECT_EQ(heard->channel, Channel::gossip);
    EXPECT_EQ(heard->message, a.say(1));

    b.perform(cluster::DisconnectPeer{"a"});
    std::optional<cluster::LinkLost> lost;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (lost = a.take<cluster::LinkLost>()).has_value(); }));
    EXPECT_EQ(lost->peer, b.self);
}

TEST(Sockets, ADeadPeerIsALostLinkAndARefusedProbe) {
    Side a("a");
    std::string control;
    {
        Side b("b");
        control = b.sockets->control();
        connect(b, a);
        ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.take<cluster::LinkUp>().has_value(); }));
        a.perform(cluster::CheckProcess{b.self, control});
        a.turn(5);
        EXPECT_FALSE(a.take<cluster::ProcessGone>().has_value());
    }
    ASSERT_TRUE(turn_until({&a}, [&] { return a.take<cluster::LinkLost>().has_value(); }));
    const NodeId b{"b", Incarnation{7}};
    a.perform(cluster::CheckProcess{b, control});
    std::optional<cluster::ProcessGone> gone;
    ASSERT_TRUE(turn_until({&a}, [&] { return (gone = a.take<cluster::ProcessGone>()).has_value(); }));
    EXPECT_EQ(gone->peer, b);
}

TEST(Sockets, ReceivesItsOwnHeartbeatsOnlyAndIsNotItsOwnPeer) {
    Side a("a");
    const proto::Message beat{a.say(1).header, proto::Heartbeat{}};
    std::optional<MessageArrived> heard;
    ASSERT_TRUE(turn_until({&a}, [&] {
        a.perform(cluster::Publish{a.say(1)});
        a.perform(cluster::Publish{beat, cluster::Publish::Kind::heartbeat});
        return (heard = a.take<MessageArrived>()).has_value();
    }));
    EXPECT_EQ(heard->message, beat);
    EXPECT_FALSE(a.take<cluster::LinkUp>().has_value());
}

TEST(Sockets, ANewIdentityHasItsOwnPresence) {
    Side a("a");
    Side b("b");
    connect(b, a);
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.take<cluster::LinkUp>().has_value(); }));
    const NodeId later{"b", Incarnation{8}};
    b.perform(cluster::IdentityChanged{later});
    std::optional<cluster::LinkUp> up;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (up = a.take<cluster::LinkUp>()).has_value(); }));
    EXPECT_EQ(up->peer, later);
}

TEST(Sockets, ConnectingAgainMakesANewLink) {
    Side a("a");
    Side b("b");
    connect(b, a);
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.take<cluster::LinkUp>().has_value(); }));
    connect(b, a);
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.take<cluster::LinkUp>().has_value(); }));
    a.perform(cluster::Publish{a.say(2)});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return b.take<MessageArrived>().has_value(); }));
}

/// The core gives an address to one peer. Which names stand for it, only the sockets know.
TEST(Sockets, AnotherNameForAnAddressTakesNothingFromThePeerThere) {
    Side a("a");
    Side b("b");
    connect(b, a);
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.take<cluster::LinkUp>().has_value(); }));
    const NodeId liar{"x", Incarnation{7}};
    const auto named = "localhost:" + std::to_string(parse_address(a.sockets->gossip())->port);
    b.perform(cluster::ConnectPeer{liar, "", named});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.take<cluster::LinkUp>().has_value(); }));
    b.perform(cluster::DisconnectPeer{liar.name});
    a.perform(cluster::Publish{a.say(1)});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return b.take<MessageArrived>().has_value(); }));
    EXPECT_FALSE(a.take<cluster::LinkLost>().has_value());

    b.perform(cluster::ConnectPeer{liar, "", a.sockets->gossip()});  // it has the address now
    b.perform(cluster::DisconnectPeer{liar.name});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.take<cluster::LinkLost>().has_value(); }));
}

TEST(Sockets, AControlMessageArrivesAtThePeerOnly) {
    Side a("a");
    Side b("b");
    connect(a, b);
    a.perform(cluster::SendPeer{"b", a.say(3)});  // waits for the link
    std::optional<MessageArrived> heard;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (heard = b.take<MessageArrived>()).has_value(); }));
    EXPECT_EQ(heard->channel, Channel::control);
    EXPECT_EQ(heard->message, a.say(3));
    a.perform(cluster::SendPeer{"nobody", a.say(4)});
    EXPECT_EQ(a.count("frames_not_sent"), 1u);
}

// The accepting end of a control connection never sends. Without keepalive it would outlive a host that vanished.
TEST(Sockets, ATurnReceivesNoMoreBytesThanItsBudget) {
    constexpr std::ptrdiff_t kMessages = 8;
    Side a("a");
    Side b("b");
    connect(b, a);
    const auto received = [&] {
        return std::count_if(a.events.begin(), a.events.end(), [](const auto& event) {
            const auto* arrived = std::get_if<MessageArrived>(&event);
            return arrived && arrived->channel == Channel::control;
        });
    };
    std::ptrdiff_t most = 0;
    for (int round = 0; round < 20 && most < 2; ++round) {
        a.events.clear();
        for (std::uint64_t i = 0; i < kMessages; ++i) {
            auto message = b.say(i);
            message.body = proto::Sealed{i, std::string(600'000, 'x'), {}};
            b.perform(cluster::SendPeer{"a", message});
        }
        // All of them wait, mostly, before the first is taken.
        for (int i = 0; i < 20; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const auto end = std::chrono::steady_clock::now() + test::kLong;
        for (std::ptrdiff_t before = 0; before < kMessages; before = received()) {
            ASSERT_LT(std::chrono::steady_clock::now(), end);
            a.turn(5);
            most = std::max(most, received() - before);
        }
    }
    EXPECT_EQ(most, 2) << "the second one exceeds 1 MiB";
}

TEST(Sockets, IdleConnectionsHaveKeepaliveAtBothEnds) {
    Side a("a");
    Side b("b");
    connect(a, b);
    a.perform(cluster::SendPeer{"b", a.say(1)});
    EXPECT_TRUE(turn_until({&a, &b}, [&] { return b.take<MessageArrived>(on(Channel::control)).has_value(); }));
    const auto probed = [](const std::string& address) {
        const auto found = timers(address);
        return found.size() >= 2 && std::count(found.begin(), found.end(), "02") == std::ssize(found);
    };
    for (const auto& address : {b.sockets->control(), b.sockets->gossip()})
        EXPECT_TRUE(turn_until({&a, &b}, [&] { return probed(address); })) << address;
}

TEST(Sockets, AHelloIsAnsweredOnItsConnection) {
    Side a("a");
    Side b("b");
    a.perform(cluster::Dial{b.sockets->address(), a.say(5)});
    std::optional<MessageArrived> hello;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (hello = b.take<MessageArrived>()).has_value(); }));
    EXPECT_EQ(hello->channel, Channel::door);
    b.perform(cluster::SendDoor{hello->connection, b.say(6)});
    std::optional<MessageArrived> answer;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (answer = a.take<MessageArrived>(on(Channel::dial))).has_value(); }));
    EXPECT_EQ(answer->address, b.sockets->address());
    EXPECT_EQ(answer->message, b.say(6));

    a.perform(cluster::HangUp{b.sockets->address()});
    std::optional<cluster::ConnectionLost> lost;
    ASSERT_TRUE(turn_until({&a, &b}, [&] {
        b.perform(cluster::SendDoor{hello->connection, b.say(7)});
        return (lost = b.take<cluster::ConnectionLost>()).has_value();
    }));
    EXPECT_EQ(lost->connection, hello->connection);
}

/// Each line is a connection to the core, and gets its answers in one frame with those of the others.
TEST(Sockets, LinesOfAConnectionAreAnsweredTogether) {
    Side node("a");
    zmq::context_t context;
    zmq::socket_t worker(context, zmq::socket_type::dealer);
    worker.set(zmq::sockopt::linger, 0);
    worker.connect("tcp://" + node.sockets->address());
    proto::BundleEncoder bundle;
    for (std::uint64_t line = 0; line < 3; ++line) bundle.add(line, node.say(line));
    std::string frame;
    bundle.finish(frame);
    worker.send(zmq::buffer(frame), zmq::send_flags::none);
    std::vector<MessageArrived> arrived;
    ASSERT_TRUE(turn_until({&node}, [&] {
        while (auto next = node.take<MessageArrived>()) arrived.push_back(*next);
        return arrived.size() == 3;
    }));
    EXPECT_NE(arrived[0].connection, arrived[1].connection);
    for (const auto& each : arrived) node.perform(cluster::SendDoor{each.connection, each.message});
    node.sockets->flush(node.emit);
    zmq::message_t answer;
    ASSERT_TRUE(worker.recv(answer));
    const auto parts = proto::decode_bundle({static_cast<const char*>(answer.data()), answer.size()});
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 3u);
    for (std::uint64_t line = 0; line < 3; ++line) {
        EXPECT_EQ((*parts)[line].line, line);
        EXPECT_EQ(*(*parts)[line].message, node.say(line));
    }

    worker.close();
    std::set<cluster::ConnectionId> lost;
    ASSERT_TRUE(turn_until({&node}, [&] {
        for (const auto& each : arrived) node.perform(cluster::SendDoor{each.connection, each.message});
        node.sockets->flush(node.emit);
        while (auto next = node.take<cluster::ConnectionLost>()) lost.insert(next->connection);
        return lost.size() == 3;
    })) << "all lines end with their connection";
}

TEST(Sockets, AnUnknownConnectionIsLost) {
    Side a("a");
    a.perform(cluster::SendDoor{cluster::ConnectionId{77}, a.say(1)});
    EXPECT_EQ(a.take<cluster::ConnectionLost>()->connection, cluster::ConnectionId{77});
}

TEST(Sockets, ANameIsLookedUpAndItsAnswerCountsForTheName) {
    Side a("a");
    Side b("b");
    const auto named = "localhost:" + std::to_string(parse_address(b.sockets->address())->port);
    a.perform(cluster::Dial{named, a.say(8)});
    std::optional<MessageArrived> hello;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (hello = b.take<MessageArrived>()).has_value(); }));
    b.perform(cluster::SendDoor{hello->connection, b.say(9)});
    std::optional<MessageArrived> answer;
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return (answer = a.take<MessageArrived>(on(Channel::dial))).has_value(); }));
    EXPECT_EQ(answer->address, named);
}

TEST(Sockets, AnUnresolvedNameIsLoggedOnce) {
    Side a("a");
    const std::string nowhere = "no_such_host.invalid:7100";
    a.perform(cluster::Dial{nowhere, a.say(1)});
    ASSERT_TRUE(turn_until({&a}, [&] { return !a.warnings.empty(); }));
    EXPECT_EQ(a.warnings.front(), "cannot resolve " + nowhere + ": check the name; trying again");
    // Lookups are made one after the other, so the warning of another name shows that this one has been looked up
    // again.
    a.perform(cluster::Dial{nowhere, a.say(2)});
    a.perform(cluster::Dial{"other_" + nowhere, a.say(3)});
    ASSERT_TRUE(turn_until({&a}, [&] { return a.warnings.size() >= 2; }));
    EXPECT_EQ(a.warnings.back(), "cannot resolve other_" + nowhere + ": check the name; trying again");
}

/// Sends anything to a socket of the node.
class Stranger {
public:
    explicit Stranger(const std::string& address) {
        set_common_options(socket_);
        node::connect(socket_, address);
    }
    void send(std::string_view bytes, bool more = false) { node::send(socket_, bytes, more); }
    std::optional<proto::Message> receive() {
        zmq::message_t frame;
        if (!node::receive(socket_, frame)) return std::nullopt;
        auto decoded = proto::decode(text_of(frame));
        if (!decoded) return std::nullopt;
        return std::move(*decoded);
    }

private:
    zmq::context_t context_;
    Socket socket_{context_, zmq::socket_type::dealer};
};

TEST(Sockets, BadFramesAreCountedByReasonAndDropped) {
    Side a("a");
    Stranger stranger(a.sockets->address());
    const auto good = proto::encode(a.say(1));
    stranger.send("nonsense");
    stranger.send(good + "x");
    stranger.send(good, true);
    stranger.send(good);
    stranger.send(good);
    std::optional<MessageArrived> arrived;
    ASSERT_TRUE(turn_until({&a}, [&] { return (arrived = a.take<MessageArrived>()).has_value(); }));
    EXPECT_EQ(a.count("bad_frames_parts"), 1u);
    EXPECT_EQ(a.count("bad_frames_malformed") + a.count("bad_frames_trailing_bytes"), 2u);
    EXPECT_EQ(arrived->message, a.say(1));
}

std::string of_major_2(const proto::Message& message) {
    auto frame = proto::encode(message);
    EXPECT_EQ(frame[1], '\x01') << "the major follows the array's header";
    frame[1] = '\x02';
    return frame;
}

TEST(Sockets, AnotherMajorIsRefusedWithTheReasonAndLoggedOnce) {
    Side a("a");
    Stranger stranger(a.sockets->address());
    const std::string reason = "version 2 of the protocol, this node version 1: update the older of the two";
    for (int i = 0; i < 3; ++i) {
        stranger.send(of_major_2(a.say(1)));
        std::optional<proto::Message> answer;
        ASSERT_TRUE(turn_until({&a}, [&] { return (answer = stranger.receive()).has_value(); }));
        ASSERT_TRUE(std::holds_alternative<proto::Refuse>(answer->body));
        EXPECT_EQ(std::get<proto::Refuse>(answer->body).code, ErrorCode::wrong_version);
        EXPECT_EQ(std::get<proto::Refuse>(answer->body).text, "you speak " + reason);
        EXPECT_EQ(answer->header.origin, "a");
    }
    EXPECT_TRUE(a.events.empty());
    EXPECT_EQ(a.warnings, std::vector<std::string>{"127.0.0.1 speaks " + reason});
    EXPECT_EQ(a.count("bad_frames_wrong_major"), 3u);
}

TEST(Sockets, ADialedNodeOfAnotherMajorIsLogged) {
    Side a("a");
    zmq::context_t context;
    Socket door(context, zmq::socket_type::router);
    set_common_options(door);
    const auto port = bind_tcp(door, "127.0.0.1", 0, "--listen");
    ASSERT_TRUE(port.ok());
    const auto address = with_port("127.0.0.1", *port);
    a.perform(cluster::Dial{address, a.say(1)});
    Parts hello;
    Poller poller;
    poller.add(door);
    ASSERT_TRUE(turn_until({&a}, [&] { return poller.wait(std::chrono::nanoseconds(0)) && receive(door, hello); }));
    for (int i = 0; i < 3; ++i) {
        node::send(door, text_of(hello.first), true);
        node::send(door, of_major_2({a.say(1).header, proto::Refuse{ErrorCode::wrong_version, "of my own major"}}));
    }
    ASSERT_TRUE(turn_until({&a}, [&] { return a.count("bad_frames_wrong_major") == 3; }));
    EXPECT_EQ(a.warnings, std::vector<std::string>{"the node at " + address +
                                                   " speaks version 2 of the protocol, this node version 1: update the "
                                                   "older of the two"});
    EXPECT_TRUE(a.events.empty());
}

TEST(Sockets, AnotherMajorAmongNodesIsCounted) {
    Side a("a");
    Stranger stranger(a.sockets->control());
    stranger.send(of_major_2(a.say(1)));
    ASSERT_TRUE(turn_until({&a}, [&] { return a.count("bad_frames_wrong_major") == 1; }));

    zmq::context_t context;
    Socket publisher(context, zmq::socket_type::pub);
    set_common_options(publisher);
    const auto port = bind_tcp(publisher, "127.0.0.1", 0, "--listen");
    ASSERT_TRUE(port.ok());
    a.perform(cluster::ConnectPeer{{"b", Incarnation{1}}, a.sockets->control(), with_port("127.0.0.1", *port)});
    ASSERT_TRUE(turn_until({&a}, [&] {
        node::send(publisher, gossip_topic("test") + kOtherMark + of_major_2(a.say(1)));
        return a.count("bad_frames_wrong_major") >= 2;
    }));
    EXPECT_TRUE(a.events.empty());
}

}  // namespace
}  // namespace muster::node
