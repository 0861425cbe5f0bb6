// What comes before any message: connections, handshakes, subscriptions; at every port of a node that serves.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/integration/raw_peer.hpp"
#include "tests/integration/under_attack.hpp"

namespace muster::test {
namespace {

using std::chrono::seconds;

std::string noise(std::mt19937_64& random, std::size_t bytes) {
    std::string text(bytes, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
}

/// Whether somebody who comes now is let in.
bool lets_in(UnderAttack& attacked) {
    return eventually([&] { return attacked.cluster().muster(0, {"nodes"}).status == 0; });
}

/// Nodes that are alive as the attacked one shows them; 0 if it lets nobody in.
std::size_t alive(UnderAttack& attacked) {
    const auto answer = attacked.cluster().muster(0, {"nodes"});
    if (answer.status != 0) return 0;
    const auto nodes = nlohmann::json::parse(answer.lines.at(0))["nodes"];
    return static_cast<std::size_t>(
        std::count_if(nodes.begin(), nodes.end(), [](const auto& node) { return node["state"] == "alive"; }));
}

TEST(HostilePorts, RandomBytes) {
    UnderAttack attacked;
    std::mt19937_64 random(1);
    constexpr std::size_t kEach = 100;
    const auto accepted = attacked.counter("connections_accepted");
    const auto shaken = attacked.counter("handshakes");
    for (const auto& port : {attacked.door(), attacked.control(), attacked.gossip(), attacked.http()})
        for (std::size_t i = 0; i < kEach; ++i) RawPeer(port).send(noise(random, 1 + random() % 5000));
    EXPECT_TRUE(attacked.counts("connections_accepted", accepted + 3 * kEach));
    // Whoever attached meanwhile to ask shook hands; noise does not.
    EXPECT_TRUE(attacked.counts("refused_handshakes_broken", 1));
    EXPECT_LT(attacked.counter("handshakes") - shaken, attacked.counter("connections_accepted") - accepted - 2 * kEach);
    EXPECT_TRUE(lets_in(attacked));
    attacked.expect_unharmed();
}

// Wrong socket types and mechanisms, and what is no handshake.
TEST(HostilePorts, GreetingsThatAreNone) {
    UnderAttack attacked;
    const auto accepted = attacked.counter("connections_accepted");
    const std::string greeting = zmtp_greeting();
    std::uint64_t tried = 0;
    for (const auto& port : {attacked.door(), attacked.control(), attacked.gossip()}) {
        for (const auto& bytes :
             {zmtp_greeting("PLAIN") + zmtp_ready("DEALER"), zmtp_greeting("nonsense"), greeting + zmtp_ready("PUSH"),
              greeting + zmtp_ready("REP"), greeting + zmtp_ready("NOTHING"),
              greeting + zmtp_ready(std::string(200, 'x')), greeting + zmtp_frame("not a command"),
              greeting + zmtp_long_head(1ull << 40), greeting + zmtp_long_head(~0ull)}) {
            RawPeer peer(port);
            peer.send(bytes);
            ++tried;
            EXPECT_TRUE(peer.is_ended()) << "try " << tried;
        }
        // Half a greeting, and gone.
        for (std::size_t size = 0; size < greeting.size(); size += 7, ++tried)
            RawPeer(port).send(greeting.substr(0, size));
    }
    EXPECT_TRUE(attacked.counts("connections_accepted", accepted + tried));
    EXPECT_TRUE(attacked.counts("refused_handshakes_broken", 1));
    EXPECT_TRUE(attacked.counts("refused_handshakes_broken", 3 * 10));
    attacked.expect_unharmed();
}

// Truncated and over-long frames.
TEST(HostilePorts, FramesThatEndTooSoonOrNever) {
    UnderAttack attacked;
    struct Case {
        std::string port;
        const char* type;
    };
    for (const auto& [port, type] :
         {Case{attacked.door(), "DEALER"}, Case{attacked.control(), "DEALER"}, Case{attacked.gossip(), "SUB"}}) {
        for (int i = 0; i < 50; ++i) {
            RawPeer peer(port);
            ASSERT_TRUE(peer.shake(type));
            peer.send(zmtp_frame(std::string(200, '\1')).substr(0, 100));  // cut, and gone
        }
        for (const auto bytes : {3ull << 20, 1ull << 32, 1ull << 62}) {
            RawPeer peer(port);
            ASSERT_TRUE(peer.shake(type));
            peer.send(zmtp_long_head(bytes) + "x");
            EXPECT_TRUE(peer.is_ended()) << port << ": a frame said to have " << bytes << " bytes";
        }
    }
    attacked.expect_unharmed();
}

TEST(HostilePorts, TwoThousandHalfOpenConnections) {
    UnderAttack attacked;
    std::vector<RawPeer> peers;
    for (int i = 0; i < 1600; ++i) peers.emplace_back(attacked.door());
    for (int i = 0; i < 200; ++i) peers.emplace_back(attacked.control());
    for (int i = 0; i < 200; ++i) peers.emplace_back(attacked.gossip());
    EXPECT_TRUE(lets_in(attacked));
    attacked.expect_serving();
    for (auto& peer : peers) ASSERT_TRUE(peer.is_ended());
    EXPECT_TRUE(attacked.counts("refused_handshakes_broken", peers.size()));
    EXPECT_TRUE(eventually([&] { return attacked.counter("connections_door") < 20; }));
    attacked.expect_unharmed();
}

// Connections that shake hands and do nothing, opened again as soon as they end.
TEST(HostilePorts, MoreConnectionsThanAPortTakes) {
    UnderAttack attacked({"--connections", "64"});
    std::atomic<bool> done = false;
    std::atomic<int> opened = 0;
    std::vector<std::thread> attacks;
    for (const auto& [port, type] :
         {std::pair{attacked.door(), "DEALER"}, {attacked.control(), "DEALER"}, {attacked.gossip(), "SUB"}})
        attacks.emplace_back([&, port = port, handshake = zmtp_greeting() + zmtp_ready(type)] {
            std::deque<RawPeer> idle;
            for (; !done; ++opened) {
                idle.emplace_back(port).send(handshake);
                if (idle.size() > 100) idle.pop_front();
                std::this_thread::sleep_for(milliseconds(5));
            }
        });
    EXPECT_TRUE(eventually([&] { return opened > 600; }));
    EXPECT_TRUE(lets_in(attacked)) << "a worker stays outside";
    Process late({MUSTERD_PATH, "--name", "late", "--listen", "127.0.0.1:0", "--seed", attacked.door()});
    EXPECT_TRUE(eventually([&] { return alive(attacked) == 4; })) << "a node stays outside";
    EXPECT_TRUE(attacked.counts("connections_displaced", 200));
    EXPECT_LT(attacked.counter_from_inside("connections_door"), 80u);
    done = true;
    for (auto& attack : attacks) attack.join();
    late.signal(SIGTERM);
    EXPECT_EQ(late.wait_exit(), 0);
    EXPECT_TRUE(eventually([&] { return alive(attacked) == 3; }));
    attacked.expect_unharmed();
}

TEST(HostilePorts, AMillionSubscriptions) {
    UnderAttack attacked;
    constexpr std::uint32_t kTopics = 1'000'000;
    constexpr std::uint32_t kAtOnce = 1000;
    std::uint32_t sent = 0;
    while (sent < kTopics) {
        RawPeer peer(attacked.gossip());
        bool taken = peer.shake("SUB");
        while (taken && sent < kTopics) {
            std::string bytes;
            for (std::uint32_t i = 0; i < kAtOnce; ++i, ++sent)
                bytes += zmtp_frame(std::string("\1") + std::to_string(sent * 2654435761u));
            taken = peer.send(bytes);
        }
    }
    EXPECT_GT(attacked.counter("subscriptions_refused") + attacked.counter("connections_flooding"), 0u);
    attacked.expect_unharmed(200);
}

TEST(HostilePorts, MoreSubscriptionsThanAPeerNeeds) {
    UnderAttack attacked;
    for (int i = 0; i < 20; ++i) {
        RawPeer peer(attacked.gossip());
        ASSERT_TRUE(peer.shake("SUB"));
        for (char topic = 'a'; topic <= 'z'; ++topic) peer.send(zmtp_frame(std::string("\1") + topic));
        EXPECT_TRUE(peer.is_ended());
    }
    EXPECT_TRUE(attacked.counts("subscriptions_refused", 20));
    attacked.expect_unharmed();
}

/// So many subscriptions to topics of 500 bytes that nobody else has.
std::string long_subscriptions(std::mt19937_64& random, int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
        std::string topic(501, '\1');
        for (std::size_t at = 1; at + 8 <= topic.size(); at += 8) {
            const std::uint64_t some = random();
            std::memcpy(topic.data() + at, &some, sizeof some);
        }
        bytes += zmtp_frame(topic);
    }
    return bytes;
}

/// libzmq takes in all that a connection subscribes to before it lets the node's thread go on.
TEST(HostilePorts, SubscriptionsWithoutEnd) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "what libzmq has stored of the first flood takes seconds to be freed";
#endif
    UnderAttack attacked;
    std::mt19937_64 random(3);
    const auto bytes = long_subscriptions(random, 100'000);
    for (int i = 0; i < 8; ++i) {
        RawPeer peer(attacked.gossip());
        ASSERT_TRUE(peer.shake("SUB"));
        peer.send(bytes, seconds(1));  // what is ended may still take some
        attacked.expect_serving();
    }
    attacked.expect_unharmed(300);
}

TEST(HostilePorts, LongSubscriptions) {
    UnderAttack attacked;
    for (int i = 0; i < 50; ++i) {
        RawPeer peer(attacked.gossip());
        ASSERT_TRUE(peer.shake("SUB"));
        peer.send(zmtp_frame('\1' + std::string(4000, static_cast<char>('a' + i % 26))));
        EXPECT_TRUE(peer.is_ended());
    }
    attacked.expect_unharmed();
}

// Another's presence is not ended by who says so, and what is no subscription is counted.
TEST(HostilePorts, UnsubscribesOthers) {
    UnderAttack attacked;
    const NodeId other = attacked.id_of(1);
    const std::string presence = "@default/" + other.name + '/' + std::to_string(other.incarnation.value);
    const auto lost = attacked.counter("links_lost");
    RawPeer peer(attacked.gossip());
    ASSERT_TRUE(peer.shake("SUB"));
    for (int i = 0; i < 100; ++i) peer.send(zmtp_frame('\0' + presence));
    for (int i = 0; i < 100; ++i) peer.send(zmtp_frame("no subscription"));
    EXPECT_TRUE(attacked.counts("subscriptions_refused", 100));
    EXPECT_TRUE(attacked.counts("bad_subscriptions", 100));
    EXPECT_EQ(attacked.counter("links_lost"), lost);
    attacked.expect_unharmed();
}

TEST(HostilePorts, MessagesWithoutEnd) {
    UnderAttack attacked({"--connection-bytes", "33554432"});
    const std::string part = zmtp_frame(std::string(1'000'000, 'x'), true);
    for (const auto& port : {attacked.door(), attacked.control()}) {
        RawPeer peer(port);
        ASSERT_TRUE(peer.shake("DEALER"));
        int sent = 0;
        while (sent < 400 && peer.send(part)) ++sent;
        EXPECT_LT(sent, 400) << "400 MB were taken";
    }
    EXPECT_TRUE(attacked.counts("connections_overfull_in", 2));
    attacked.expect_unharmed();
}

TEST(HostilePorts, Http) {
    UnderAttack attacked;
    std::mt19937_64 random(2);
    std::vector<RawPeer> silent;
    for (int i = 0; i < 60; ++i) silent.emplace_back(attacked.http()).send("GET /heal");
    for (int i = 0; i < 50; ++i) {
        RawPeer(attacked.http()).send(noise(random, 1 + random() % 20000));
        RawPeer(attacked.http())
            .send("POST /status HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + noise(random, 3000));
    }
    const auto answers = [&] {
        RawPeer good(attacked.http());
        good.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        return good.is_ended(seconds(2));
    };
    EXPECT_TRUE(eventually(answers, seconds(60)));
    attacked.expect_unharmed();
}

// More connections than the port takes, which are opened again as soon as they are closed.
TEST(HostilePorts, HttpIdleConnectionsKeepNobodyOut) {
    UnderAttack attacked;
    std::atomic<bool> done = false;
    std::atomic<int> opened = 0;
    std::thread attack([&] {
        std::deque<RawPeer> silent;
        for (; !done; ++opened) {
            silent.emplace_back(attacked.http()).send("GET /heal");
            if (silent.size() > 1000) silent.pop_front();
        }
    });
    EXPECT_TRUE(eventually([&] { return opened > 1000; }));
    for (int i = 0; i < 50; ++i) EXPECT_EQ(http_get(attacked.http(), "/healthz"), "ok\n") << "try " << i;
    done = true;
    attack.join();
    attacked.expect_unharmed();
}

TEST(HostilePorts, HttpTooLong) {
    UnderAttack attacked;
    const std::string much(100'000, 'x');
    for (const auto& request :
         {"GET /healthz?" + much + " HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\na: " + much + "\r\n"}) {
        RawPeer peer(attacked.http());
        peer.send(request + "Host: x\r\n\r\n");
        EXPECT_EQ(peer.read_all().find(" 200 "), std::string::npos) << request.substr(0, 25) << "... was answered";
    }
    attacked.expect_unharmed();
}

// Lines, headers and bodies without end, and one that comes a byte at a time.
TEST(HostilePorts, HttpWithoutEnd) {
    UnderAttack attacked;
    const std::string much(1 << 20, 'x');
    const std::string chunk = "100000\r\n" + much + "\r\n";
    std::string headers;
    while (headers.size() < much.size()) headers += "a" + std::to_string(headers.size()) + ": b\r\n";
    const std::string post = "POST /status HTTP/1.1\r\n";
    for (const auto& [begin, more] : {std::pair{std::string("GET /"), much},
                                      {"GET /status HTTP/1.1\r\na: ", much},
                                      {"GET /status HTTP/1.1\r\n", headers},
                                      {post + "\r\n", much},
                                      {post + "Content-Length: 99999999999\r\n\r\n", much},
                                      {post + "Transfer-Encoding: chunked\r\n\r\n", chunk}}) {
        RawPeer peer(attacked.http());
        bool taken = peer.send(begin);
        int sent = 0;
        for (; taken && sent < 100; ++sent) taken = peer.send(more);
        EXPECT_FALSE(taken) << sent << " MiB were taken after " << begin;
    }
    RawPeer slow(attacked.http());
    bool taken = slow.send("GET /");
    for (int i = 0; taken && i < 150; ++i, std::this_thread::sleep_for(milliseconds(100))) taken = slow.send("x");
    EXPECT_FALSE(taken) << "for 15 s";
    attacked.expect_unharmed(50);
}

}  // namespace
}  // namespace muster::test
