// Tests the sockets of nodes that have keys.
#include "node/admission/security.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "node/io/clock.hpp"
#include "node/sockets/sockets.hpp"
#include "tests/unit/node/keys/folder.hpp"
#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

namespace fs = std::filesystem;
using cluster::Channel;
using cluster::MessageArrived;
using cluster::Sender;

class Secured : public testing::Test {
protected:
    /// A node's sockets, and the messages that they have emitted.
    struct Side {
        Side(const keys::Folder& folder, const std::string& name, Dialer::Expected expected = {})
            : self{name, Incarnation{7}} {
            auto opened = keys::Keyring::open({folder.path(name + ".key"), folder.path(), name});
            EXPECT_TRUE(opened) << opened.error().text;
            keys = *opened;
            SocketOptions options{"test", self, "127.0.0.1:0", "", 0, 0};
            options.keys = keys;
            options.expected = std::move(expected);
            auto made = Sockets::open(options, counts, wakeup, [](const LogLine&) {});
            EXPECT_TRUE(made) << made.error().text;
            sockets = *std::move(made);
        }
        template <class Action>
        void perform(const Action& action) {
            sockets->perform(action, emit);
        }
        void connect(const Side& to) {
            perform(cluster::ConnectPeer{to.self, to.sockets->control(), to.sockets->gossip()});
        }
        void turn() {
            sockets->wait(std::chrono::milliseconds(5));
            EXPECT_FALSE(sockets->apply_key_changes(emit));
            sockets->drain(emit);
        }
        [[nodiscard]] proto::Message say(std::uint64_t nonce) const {
            return {{"test", self.name, self.incarnation.value, 0}, proto::Ping{nonce}};
        }
        [[nodiscard]] const MessageArrived* heard(Channel channel, std::uint64_t nonce) const {
            for (const auto& message : messages)
                if (const auto* ping = std::get_if<proto::Ping>(&message.message.body))
                    if (message.channel == channel && ping->nonce == nonce) return &message;
            return nullptr;
        }
        [[nodiscard]] std::uint64_t refused(const std::string& why) const {
            std::map<std::string, std::uint64_t> all;
            counts.add_to(all);
            return all.at("refused_" + why);
        }

        NodeId self;
        NodeCounters counts;
        std::shared_ptr<Wakeup> wakeup = std::make_shared<Wakeup>();
        std::shared_ptr<keys::Keyring> keys;
        std::vector<MessageArrived> messages;
        Emit emit = [this](cluster::EventBody body) {
            if (auto* message = std::get_if<MessageArrived>(&body)) messages.push_back(std::move(*message));
        };
        std::unique_ptr<Sockets> sockets;
    };

    template <class Done>
    static bool turn_until(std::initializer_list<Side*> sides, const Done& done) {
        const auto end = std::chrono::steady_clock::now() + test::kLong;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            for (Side* side : sides) side->turn();
        }
        return true;
    }

    const keys::Folder folder;
    const keys::KeyPair a_keys = folder.trust("node", "a");
    const keys::KeyPair b_keys = folder.trust("node", "b");
    const keys::KeyPair c_keys = folder.trust("node", "c");
};

TEST_F(Secured, TheKeyIdentifiesTheSender) {
    Side a(folder, "a");
    Side b(folder, "b");
    b.perform(cluster::Dial{a.sockets->address(), b.say(1)});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.heard(Channel::door, 1) != nullptr; }));
    EXPECT_EQ(a.heard(Channel::door, 1)->sender, (Sender{Sender::Role::node, "b"}));
    a.perform(cluster::SendDoor{a.heard(Channel::door, 1)->connection, a.say(2)});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return b.heard(Channel::dial, 2) != nullptr; }));
    EXPECT_EQ(b.heard(Channel::dial, 2)->sender, (Sender{Sender::Role::node, "a"}));
    EXPECT_EQ(b.heard(Channel::dial, 2)->address, a.sockets->address());

    b.connect(a);
    b.perform(cluster::SendPeer{"a", b.say(3)});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return a.heard(Channel::control, 3) != nullptr; }));
    EXPECT_EQ(a.heard(Channel::control, 3)->sender, (Sender{Sender::Role::node, "b"}));
    std::uint64_t nonce = 10;
    EXPECT_TRUE(turn_until({&a, &b}, [&] {
        a.perform(cluster::Publish{a.say(nonce)});  // until the subscription is there
        return b.heard(Channel::gossip, nonce++ - 1) != nullptr;
    }));
}

TEST_F(Secured, OnlyTheExpectedNodeIsAcceptedAtAnAddress) {
    Side a(folder, "a");
    Side b(folder, "b", {{a.sockets->address(), "c"}});
    b.perform(cluster::Dial{a.sockets->address(), b.say(1)});
    EXPECT_TRUE(turn_until({&a, &b}, [&] { return a.refused("handshakes_other_server") != 0; }));
    EXPECT_EQ(a.heard(Channel::door, 1), nullptr);
}

TEST_F(Secured, RemovingAKeyEndsItsLinksAndTheOthersComeBack) {
    Side a(folder, "a");
    Side b(folder, "b");
    Side c(folder, "c");
    for (Side* side : {&b, &c}) {
        side->connect(a);
        side->perform(cluster::SendPeer{"a", side->say(1)});
    }
    const auto heard_from = [&](const Side& from, std::uint64_t nonce) {
        for (const auto& message : a.messages) {
            const auto* ping = std::get_if<proto::Ping>(&message.message.body);
            if (message.sender.name == from.self.name && ping != nullptr && ping->nonce >= nonce) return true;
        }
        return false;
    };
    ASSERT_TRUE(turn_until({&a, &b, &c}, [&] { return heard_from(b, 1) && heard_from(c, 1); }));

    fs::remove(folder.path("nodes/b.pub"));
    ASSERT_EQ(keys::text_of(a.keys->reload().problems), "");
    std::uint64_t nonce = 100;
    ASSERT_TRUE(turn_until({&a, &b, &c}, [&] {
        ++nonce;
        b.perform(cluster::SendPeer{"a", b.say(nonce)});
        c.perform(cluster::SendPeer{"a", c.say(nonce)});
        return heard_from(c, 101) && a.refused("handshakes_unknown_key") != 0;
    }));
    EXPECT_FALSE(heard_from(b, 101));
}

TEST_F(Secured, ANewPairIsUsedImmediately) {
    Side a(folder, "a");
    Side b(folder, "b");
    a.connect(b);
    b.connect(a);
    a.perform(cluster::SendPeer{"b", a.say(1)});
    ASSERT_TRUE(turn_until({&a, &b}, [&] { return b.heard(Channel::control, 1) != nullptr; }));

    fs::create_directories(folder.path("next"));
    const auto made =
        keys::make_key_files(keys::KeyPair::generate(), folder.path("next"), "a", folder.path("nodes/a.pub"));
    ASSERT_TRUE(made) << made.error().text;
    fs::rename(made->open, folder.path("nodes/a.pub"));
    fs::rename(made->secret, folder.path("a.key"));
    ASSERT_EQ(keys::text_of(b.keys->reload().problems), "");
    ASSERT_EQ(keys::text_of(a.keys->reload().problems), "");
    const auto begun = now();
    EXPECT_TRUE(turn_until({&a, &b}, [&] {
        a.perform(cluster::SendPeer{"b", a.say(2)});
        b.perform(cluster::SendPeer{"a", b.say(3)});
        return b.heard(Channel::control, 2) != nullptr && a.heard(Channel::control, 3) != nullptr;
    }));
    RecordProperty("milliseconds", std::to_string((now() - begun) / std::chrono::milliseconds(1)));
}

TEST(AuthenticatorDeathTest, AbortsTheProcessWhenItFails) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            const keys::Folder folder;
            (void)folder.trust("node", "a");
            NodeCounters counts;
            zmq::context_t context;
            const auto ring = keys::Keyring::open({folder.path("a.key"), folder.path(), "a"});
            const Authenticator authenticator(context, *ring, counts, std::make_shared<Wakeup>(),
                                              [](const std::string&, const keys::PublicKey&) {});
            fs::remove_all(folder.path());  // nobody else will
            context.shutdown();
            std::this_thread::sleep_for(test::kLong);
        },
        "the authenticator failed");
}

}  // namespace
}  // namespace muster::node
