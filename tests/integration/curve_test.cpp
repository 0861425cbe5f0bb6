// Keys between real processes: who gets in, who does not, and what happens when keys change under load.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <muster/worker.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>
#include <zmq.hpp>

#include "cluster/membership/seal.hpp"
#include "node/keys/key_pair.hpp"
#include "proto/codec.hpp"
#include "tests/integration/keys.hpp"

namespace muster::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

bool wait_until(const std::function<bool()>& holds, milliseconds timeout = kPatience) {
    const auto until = std::chrono::steady_clock::now() + hurried(timeout);
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= until) return false;
        std::this_thread::sleep_for(milliseconds(50));
    }
    return true;
}

Json status_of(const Cluster& cluster, std::size_t i) {
    const auto answer = cluster.muster(i, {"status"});
    return answer.status == 0 ? Json::parse(answer.lines.at(0)) : Json::object();
}

std::uint64_t count_of(const Cluster& cluster, std::size_t i, const std::string& counter) {
    const auto status = status_of(cluster, i);
    return status.contains("counters") ? status["counters"].value("refused_" + counter, std::uint64_t{0}) : 0;
}

std::size_t members_seen(const Cluster& cluster, std::size_t i, const std::string& store) {
    const auto answer = cluster.muster(i, {"members", store, "f"});
    return answer.status == 0 ? Json::parse(answer.lines.at(0)).at("members").size() : 0;
}

/// A stranger's DEALER. The public key of its pair is not in the folder, unless it is read from there.
struct Stranger {
    explicit Stranger(const std::string& address) {
        socket.set(zmq::sockopt::linger, 0);
        endpoint = "tcp://" + address;
    }
    void has(const std::string& public_key, const std::string& secret_key, const std::string& server_key) {
        socket.set(zmq::sockopt::curve_publickey, public_key);
        socket.set(zmq::sockopt::curve_secretkey, secret_key);
        socket.set(zmq::sockopt::curve_serverkey, server_key);
    }
    void speak() {
        socket.connect(endpoint);
        socket.send(zmq::str_buffer("anything"), zmq::send_flags::dontwait);
    }

    zmq::context_t context;
    zmq::socket_t socket{context, zmq::socket_type::dealer};
    std::string endpoint;
};

/// What stands behind this word in a key file.
std::string text_in(const std::string& path, const std::string& word) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(word)) return line.substr(line.find('"') + 1, 40);
    return {};
}

TEST(Curve, AClusterWithKeysDoesWhatOneWithoutDoes) {
    const Keys keys(3);
    Cluster cluster(keys.places(3));
    const auto member = cluster.stay(0, {"join", "s", "f", "--visible", "--for", "1"});
    ASSERT_TRUE(member->wait_for_line("joined"));
    const auto watcher = cluster.stay(1, {"watch", "s", "f"});
    ASSERT_TRUE(watcher->wait_for_line("snapshot"));
    const auto told = cluster.muster(2, {"notify", "created", "s", "f", "{}", "--wait"});
    ASSERT_EQ(told.status, 0) << told.errors;
    EXPECT_EQ(Json::parse(told.lines.at(0)).at("delivered"), 1);
    EXPECT_EQ(member->wait_exit(), 0);
    EXPECT_TRUE(watcher->wait_for_line("leave"));
    EXPECT_EQ(status_of(cluster, 0).value("security", ""), "curve");
    // An address may say whose key is to be there.
    EXPECT_EQ(run({MUSTER_PATH, "--node", "n1@" + cluster.address(0), "nodes"}).status, 0);
    EXPECT_EQ(run({MUSTER_PATH, "--node", "n2@" + cluster.address(0), "nodes"}).status, 3);
}

TEST(Curve, StrangersAreRefusedAndCounted) {
    const Keys keys(1);
    auto places = keys.places(1);
    const auto control = std::to_string(free_port());
    places[0].more.insert(places[0].more.end(), {"--control-port", control});
    Cluster cluster(places);
    const auto server = text_in(keys.pub("node", "n1"), "public-key");

    // Either side may see first that the other does not speak its mechanism; if the client does, it just goes.
    EXPECT_TRUE(wait_until([&] {
        Stranger plain(cluster.address(0));
        plain.speak();
        return wait_until([&] { return count_of(cluster, 0, "handshakes_no_key") >= 1; }, milliseconds(500));
    }));

    (void)keys.make("x");
    const auto x = keys.key("x");
    Stranger unknown(cluster.address(0));
    unknown.has(text_in(x, "public-key"), text_in(x, "secret-key"), server);
    unknown.speak();
    EXPECT_TRUE(wait_until([&] { return count_of(cluster, 0, "handshakes_unknown_key") >= 1; }));

    Stranger worker("127.0.0.1:" + control);
    worker.has(text_in(keys.key("w"), "public-key"), text_in(keys.key("w"), "secret-key"), server);
    worker.speak();
    EXPECT_TRUE(wait_until([&] { return count_of(cluster, 0, "handshakes_wrong_role") >= 1; }));

    // A message of any of them would have been counted as one that is no message of ours.
    const auto counters = status_of(cluster, 0).at("counters");
    for (const auto& [name, value] : counters.items())
        EXPECT_TRUE(!name.starts_with("bad_frames") || value == 0) << name;
    const auto refused = run({MUSTER_PATH, "--node", cluster.address(0), "--key", x, "--keys", keys.folder(), "nodes"});
    EXPECT_EQ(refused.status, 3) << refused.errors;
}

/// All see a worker by its name. A file of another name than its key's is the only way to a wrong one here.
TEST(Curve, AWorkerCannotHaveTheNameOfAnotherKey) {
    const Keys keys(1);
    keys.trust("worker", "v");
    Cluster cluster(keys.places(1));
    const auto disguised = keys.folder() + "/disguise/v.key";
    fs::create_directory(keys.folder() + "/disguise");
    fs::copy_file(keys.key("w"), disguised);
    const auto refused =
        run({MUSTER_PATH, "--node", cluster.address(0), "--key", disguised, "--keys", keys.folder(), "join", "g", "f"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_NE(refused.errors.find("does not belong to the worker key w: use the name 'w'"), std::string::npos)
        << refused.errors;
    EXPECT_GE(status_of(cluster, 0).at("counters").value("workers_refused_name", 0), 1);

    const auto began = std::chrono::steady_clock::now();
    const auto connect = [&](const std::string& name) {
        return Worker::connect({.nodes = {cluster.address(0)},
                                .name = name,
                                .key_file = keys.key("w"),
                                .keys_dir = keys.folder(),
                                .connect_timeout = std::chrono::seconds(20)});
    };
    const auto thief = connect("v");
    ASSERT_FALSE(thief);
    EXPECT_EQ(thief.error().code, ErrorCode::bad_request) << thief.error().text;
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10)) << "it tried until its time was up";
    EXPECT_TRUE(connect("w.v"));
    EXPECT_TRUE(connect(""));
}

NodeId id_of(const Cluster& cluster, const std::string& name, std::size_t at = 0) {
    const auto answer = Json::parse(cluster.muster(at, {"nodes"}).lines.at(0));
    for (const auto& node : answer.at("nodes"))
        if (node.at("name") == name) return {name, Incarnation{node.at("incarnation").get<std::uint64_t>()}};
    throw std::runtime_error("node " + std::to_string(at) + " does not know " + name);
}

/// An address without a node's name can be that of any of them. A worker tries the keys of some at a time.
TEST(Curve, AWorkerThatTrustsManyNodesFindsTheKeyOfItsOwn) {
    const Keys keys(1);
    for (int i = 0; i < 70; ++i) keys.trust("node", "a" + std::to_string(i));
    const Cluster cluster(keys.places(1));
    const auto worker = Worker::connect({.nodes = {cluster.address(0)},
                                         .name = "w",
                                         .key_file = keys.key("w"),
                                         .keys_dir = keys.folder(),
                                         .connect_timeout = 3 * kPatience});
    ASSERT_TRUE(worker) << worker.error().text;
    EXPECT_EQ((*worker)->node().id.name, "n1");
}

// Forged origins, and replays of earlier lives: whoever has a member's key and speaks for another.
TEST(Curve, AMemberSpeaksForItselfAlone) {
    const Keys keys(3);
    auto places = keys.places(3);
    const auto control = std::to_string(free_port());
    places[0].more.insert(places[0].more.end(), {"--control-port", control});
    Cluster cluster(places);
    const auto member = cluster.stay(2, {"join", "s", "f", "--visible"});
    ASSERT_TRUE(member->wait_for_line("joined"));
    const NodeId own = id_of(cluster, "n2");
    const NodeId other = id_of(cluster, "n3");
    Stranger liar("127.0.0.1:" + control);
    liar.has(text_in(keys.key("n2"), "public-key"), text_in(keys.key("n2"), "secret-key"),
             text_in(keys.pub("node", "n1"), "public-key"));
    liar.socket.connect(liar.endpoint);
    const auto said_by = [](const NodeId& as, proto::Body body) {
        return proto::encode({{"default", as.name, as.incarnation.value, 1}, std::move(body)});
    };
    const auto say = [&](const std::string& frame) { liar.socket.send(zmq::buffer(frame)); };
    // Nodes that meet may have counted something, too.
    const auto before = status_of(cluster, 0).at("counters");
    const auto counts = [&](const std::string& counter) {
        return wait_until(
            [&] { return status_of(cluster, 0).at("counters").value(counter, 0) > before.value(counter, 0); });
    };
    const std::string forged = said_by(other, proto::Goodbye{});
    say(forged);
    EXPECT_TRUE(counts("messages_of_false_senders"));
    say(said_by(own, proto::Relay{"n1", forged, 0}));
    EXPECT_TRUE(counts("messages_unsealed"));
    const proto::Sealed sealed{1u << 30, forged, std::string(64, 's')};
    say(said_by(own, proto::Relay{"n1", said_by(other, sealed), 0}));
    EXPECT_TRUE(counts("seals_forged"));
    say(said_by(own, proto::Deltas{other, Seq{2}, {}}));
    EXPECT_TRUE(counts("tables_forged"));
    const auto say_down = [&](std::uint64_t incarnation) {
        say(said_by(own, proto::PeerNews{{{{"n3", Incarnation{incarnation}}, 0, NodeState::down, "", "", "", {}}}}));
    };
    say_down(other.incarnation.value + 1);
    EXPECT_TRUE(counts("lives_unproven"));
    say_down(other.incarnation.value - 1);
    EXPECT_TRUE(counts("news_older"));
    EXPECT_TRUE(cluster.wait_alive(0, 3)) << cluster.node(0).errors();
    EXPECT_EQ(members_seen(cluster, 0, "s"), 1U);
    EXPECT_EQ(cluster.node(0).errors().find("node n3 is down"), std::string::npos) << cluster.node(0).errors();
}

TEST(Curve, AKeyIsReplacedWithoutALoss) {
    const Keys keys(3);
    Cluster cluster(keys.places(3));
    const auto member = cluster.stay(0, {"join", "s", "f", "--visible"});
    ASSERT_TRUE(member->wait_for_line("joined"));
    std::atomic<bool> replaced = false;
    std::atomic<std::size_t> told = 0;
    const auto reread = [&](std::size_t i, const std::string& what) {
        cluster.node(i).signal(SIGHUP);
        EXPECT_TRUE(cluster.node(i).wait_for_error(what)) << cluster.node(i).errors();
        const std::size_t before = told;
        EXPECT_TRUE(wait_until([&] { return told >= before + 200; })) << "nobody can notify";
    };
    std::thread notifier([&] {
        while (!replaced) {
            const auto done = cluster.muster(2, {"notify", "created", "s", "f", "{}", "--count", "100"});
            EXPECT_EQ(done.status, 0) << done.errors;
            told += 100;
        }
    });
    const auto heard = [&](const std::string& event) {
        const auto lines = member->lines();
        return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
            return line.find("\"event\":\"" + event + "\"") != std::string::npos;
        }));
    };

    // The new key is trusted beside the old one, then used, then alone.
    fs::rename(keys.key("n1"), keys.folder() + "/n1.key.old");
    const auto fresh = keys.make("n1", {"--replaces", keys.pub("node", "n1")});
    fs::rename(keys.key("n1"), keys.folder() + "/n1.key.new");
    fs::rename(keys.folder() + "/n1.key.old", keys.key("n1"));
    fs::rename(fresh, keys.pub("node", "n1"));
    for (std::size_t i = 0; i < 3; ++i) reread(i, "added node/n1");
    fs::rename(keys.folder() + "/n1.key.new", keys.key("n1"));
    reread(0, "a new own key pair");
    const auto alone = "public-key = \"" + text_in(keys.pub("node", "n1"), "public-key") + "\"\nsign-key = \"" +
                       text_in(keys.pub("node", "n1"), "sign-key") + "\"\n";
    std::ofstream(keys.folder() + "/n1.next") << alone;
    fs::rename(keys.folder() + "/n1.next", keys.pub("node", "n1"));
    for (std::size_t i = 0; i < 3; ++i) reread(i, "removed node/n1");
    replaced = true;
    notifier.join();

    EXPECT_TRUE(wait_until([&] { return heard("created") >= told; })) << heard("created") << " of " << told;
    EXPECT_EQ(heard("created"), told);
    EXPECT_EQ(heard("gap"), 0U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.wait_alive(i, 3)) << cluster.node(i).errors();
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(cluster.node(i).errors().find(" is down"), std::string::npos) << cluster.node(i).errors();
}

/// Somebody had the key of n3 while it was down, and told of a life of n3 that begins in a year.
TEST(Curve, ANodeComesUpAfterItsStolenKeyWasReplaced) {
    const Keys keys(3);
    auto places = keys.places(3);
    const auto control = std::to_string(free_port());
    places[0].more.insert(places[0].more.end(), {"--control-port", control});
    Cluster cluster(places);
    const NodeId killed = id_of(cluster, "n3");
    cluster.node(2).signal(SIGKILL);
    ASSERT_TRUE(cluster.wait_alive(0, 2));
    Stranger thief("127.0.0.1:" + control);
    thief.has(text_in(keys.key("n3"), "public-key"), text_in(keys.key("n3"), "secret-key"),
              text_in(keys.pub("node", "n1"), "public-key"));
    thief.socket.connect(thief.endpoint);
    const auto stolen = keys::KeyPair::load(keys.key("n3"));
    ASSERT_TRUE(stolen.ok());
    const auto claim = [&](std::uint64_t incarnation) {
        proto::PeerRecord life{
            {"n3", Incarnation{incarnation}}, 0, NodeState::alive, "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", {}, {}};
        life.proof = stolen->sign(cluster::signed_bytes("default", life));
        const proto::Message news{{"default", "n3", killed.incarnation.value, 1}, proto::PeerNews{{life}}};
        thief.socket.send(zmq::buffer(proto::encode(news)));
    };
    claim(UINT64_MAX - 1);
    EXPECT_TRUE(
        wait_until([&] { return status_of(cluster, 0).at("counters").value("incarnations_unbelieved", 0) == 1; }));
    const std::uint64_t in_a_year = killed.incarnation.value + 365ull * 86'400'000'000;
    claim(in_a_year);
    for (const std::size_t i : {0, 1})
        ASSERT_TRUE(wait_until([&] { return id_of(cluster, "n3", i).incarnation.value == in_a_year; })) << i;

    fs::remove(keys.pub("node", "n3"));
    for (const std::size_t i : {0, 1})
        ASSERT_TRUE(wait_until([&] { return status_of(cluster, i).at("counters").value("lives_without_key", 0) == 1; }))
            << cluster.node(i).errors();
    fs::remove(keys.key("n3"));
    fs::rename(keys.make("n3"), keys.pub("node", "n3"));
    cluster.start(2);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.wait_alive(i, 3)) << cluster.node(i).errors();
}

TEST(Curve, KeysAreAddedAndRemovedWhileEverythingRuns) {
    const Keys keys(2);
    Cluster cluster(keys.places(2));
    const auto member = cluster.stay(0, {"join", "s", "f", "--visible"});
    ASSERT_TRUE(member->wait_for_line("joined"));

    const auto open = keys.make("n3");
    Process late({MUSTERD_PATH, "--name", "n3", "--listen", "127.0.0.1:0", "--seed", cluster.address(0), "--key",
                  keys.key("n3"), "--keys", keys.folder()});
    ASSERT_TRUE(wait_until([&] { return count_of(cluster, 0, "handshakes_unknown_key") >= 1; }));
    EXPECT_TRUE(cluster.wait_alive(0, 2));
    fs::rename(open, keys.pub("node", "n3"));
    EXPECT_TRUE(cluster.wait_alive(0, 3)) << cluster.node(0).errors();
    EXPECT_TRUE(cluster.wait_alive(1, 3)) << cluster.node(1).errors();

    keys.trust("worker", "v");
    std::unique_ptr<Process> guest;
    ASSERT_TRUE(wait_until([&] {
        guest = std::make_unique<Process>(std::vector<std::string>{MUSTER_PATH, "--node", cluster.address(0), "--key",
                                                                   keys.key("v"), "--keys", keys.folder(), "join", "g",
                                                                   "f"});
        return guest->wait_for_line("joined", milliseconds(3000)).has_value();
    }));
    ASSERT_TRUE(wait_until([&] { return members_seen(cluster, 1, "g") == 1; }));

    fs::remove(keys.pub("worker", "v"));
    EXPECT_TRUE(wait_until([&] { return members_seen(cluster, 1, "g") == 0; })) << "its link goes on";
    fs::remove(keys.pub("node", "n3"));
    EXPECT_TRUE(cluster.wait_alive(0, 2)) << cluster.node(0).errors();
    EXPECT_TRUE(cluster.wait_alive(1, 2)) << cluster.node(1).errors();

    const auto told = cluster.muster(1, {"notify", "created", "s", "f", "{}", "--wait"});
    ASSERT_EQ(told.status, 0) << told.errors;
    EXPECT_EQ(Json::parse(told.lines.at(0)).at("delivered"), 1);
    for (std::size_t i = 0; i < 2; ++i)
        EXPECT_EQ(cluster.node(i).errors().find("node n" + std::to_string(2 - i) + " is down"), std::string::npos)
            << cluster.node(i).errors();
}

TEST(Curve, ABrokenFileKeepsNobodyElseTrusted) {
    const Keys keys(2);
    keys.trust("worker", "v");
    Cluster cluster(keys.places(2));
    Process guest(
        {MUSTER_PATH, "--node", cluster.address(0), "--key", keys.key("v"), "--keys", keys.folder(), "join", "g", "f"});
    ASSERT_TRUE(guest.wait_for_line("joined"));
    ASSERT_TRUE(wait_until([&] { return members_seen(cluster, 1, "g") == 1; }));

    const auto stale = [&](std::size_t i) { return status_of(cluster, i).at("counters").value("keys_stale", 0); };
    EXPECT_EQ(stale(0), 0);
    std::ofstream(keys.pub("worker", "w")) << "nothing";
    for (std::size_t i = 0; i < 2; ++i) {
        ASSERT_TRUE(cluster.node(i).wait_for_error("some keys stay as they were")) << cluster.node(i).errors();
        EXPECT_NE(cluster.node(i).errors().find("workers/w.pub"), std::string::npos) << cluster.node(i).errors();
        EXPECT_TRUE(cluster.wait_alive(i, 2));
        EXPECT_EQ(stale(i), 1);
    }
    fs::remove(keys.pub("worker", "v"));
    EXPECT_TRUE(wait_until([&] { return members_seen(cluster, 1, "g") == 0; })) << "its link goes on";
    EXPECT_TRUE(wait_until([&] { return count_of(cluster, 0, "handshakes_unknown_key") >= 1; }));
    EXPECT_EQ(stale(0), 1);
}

TEST(Curve, WhatWouldBeOpenToOthersIsRefused) {
    const Keys keys(1);
    ::unsetenv("MUSTER_KEY");
    ::unsetenv("MUSTER_KEYS");
    const auto refusal = [](std::vector<std::string> words) {
        words.insert(words.begin(), {MUSTERD_PATH, "--name", "n1"});
        const auto done = run(words);
        EXPECT_EQ(done.status, 2) << done.errors;
        EXPECT_EQ(std::count(done.errors.begin(), done.errors.end(), '\n'), 1) << done.errors;
        return done.errors;
    };
    const std::string everywhere = "0.0.0.0:" + std::to_string(free_port());
    EXPECT_NE(refusal({"--listen", everywhere, "--advertise", "127.0.0.1:0"}).find("--insecure"), std::string::npos);
    EXPECT_NE(refusal({"--listen", "127.0.0.1:0", "--http", everywhere}).find("--insecure"), std::string::npos);
    EXPECT_NE(refusal({"--listen", "127.0.0.1:0", "--key", keys.key("n1")}).find("or neither"), std::string::npos);
    ASSERT_EQ(::chmod(keys.key("n1").c_str(), 0644), 0);
    EXPECT_NE(refusal({"--listen", "127.0.0.1:0", "--key", keys.key("n1"), "--keys", keys.folder()}).find("chmod 600"),
              std::string::npos);

    const std::string here = "127.0.0.1:" + std::to_string(free_port());
    Process open({MUSTERD_PATH, "--name", "n1", "--listen", "0.0.0.0" + here.substr(here.find(':')), "--advertise",
                  here, "--insecure"});
    EXPECT_TRUE(open.wait_for_error("insecure: ")) << open.errors();
    ASSERT_TRUE(open.wait_for_error("listens on")) << open.errors();
    const auto status = run({MUSTER_PATH, "--node", here, "--json", "status"});
    ASSERT_EQ(status.status, 0) << status.errors;
    EXPECT_EQ(Json::parse(status.lines.at(0)).value("security", ""), "insecure");
}

}  // namespace
}  // namespace muster::test
