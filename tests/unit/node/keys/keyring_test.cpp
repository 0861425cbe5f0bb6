#include "node/keys/keyring.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/unit/node/keys/folder.hpp"

namespace muster::keys {
namespace {

namespace fs = std::filesystem;

class Ring : public testing::Test {
protected:
    Result<std::shared_ptr<Keyring>> open(const std::string& node = "a") const {
        return Keyring::open({folder.path(node + ".key"), folder.path(), node});
    }
    std::shared_ptr<Keyring> opened() const {
        auto ring = open();
        EXPECT_TRUE(ring) << ring.error().text;
        return ring ? *ring : nullptr;
    }
    /// The line that a node would not start with.
    std::string wrong(const std::string& node = "a") const {
        const auto ring = open(node);
        return ring ? "" : ring.error().text;
    }

    const Folder folder;
    const KeyPair a = folder.trust("node", "a");
    const KeyPair b = folder.trust("node", "b");
};

TEST_F(Ring, KnowsWhoseAKeyIs) {
    const auto worker = folder.trust("worker", "w");
    const auto observer = folder.trust("observer", "o");
    const auto ring = opened();
    EXPECT_EQ(ring->find(b.public_key()), (Identity{Role::node, "b"}));
    EXPECT_EQ(ring->find(worker.public_key()), (Identity{Role::worker, "w"}));
    EXPECT_EQ(ring->find(observer.public_key()), (Identity{Role::observer, "o"}));
    EXPECT_FALSE(ring->find(KeyPair::generate().public_key()));
    using NodeKeys = std::vector<Keyring::NodeKey>;
    EXPECT_EQ(ring->node_keys(""), (NodeKeys{{"a", a.public_key()}, {"b", b.public_key()}}));
    EXPECT_EQ(ring->node_keys("b"), (NodeKeys{{"b", b.public_key()}}));
    EXPECT_TRUE(ring->node_keys("w").empty());
    EXPECT_EQ(ring->keys_of_node("b"), std::vector{b.public_key()});
    EXPECT_TRUE(ring->keys_of_node("w").empty());
    EXPECT_EQ(ring->own()->public_key(), a.public_key());
}

TEST_F(Ring, ChecksWhoHasSigned) {
    const auto ring = opened();
    EXPECT_TRUE(ring->is_signed_by("a", "text", ring->sign("text")));
    EXPECT_TRUE(ring->is_signed_by("b", "text", b.sign("text")));
    EXPECT_FALSE(ring->is_signed_by("b", "text", ring->sign("text")));
    EXPECT_FALSE(ring->is_signed_by("c", "text", b.sign("text")));
    EXPECT_FALSE(ring->is_signed_by("b", "text", ""));
}

TEST_F(Ring, NodeTrustsItselfWithoutAFile) {
    fs::remove(folder.path("nodes/a.pub"));
    const auto ring = opened();
    EXPECT_EQ(ring->find(a.public_key()), (Identity{Role::node, "a"}));
    EXPECT_TRUE(ring->is_signed_by("a", "text", ring->sign("text")));
}

TEST_F(Ring, NodesKeyIsItsNames) {
    fs::copy(folder.path("b.key"), folder.path("c.key"));
    EXPECT_NE(wrong("c").find("this is the key of node/b"), std::string::npos) << wrong("c");
    fs::copy(folder.path("b.key"), folder.path("a.key"), fs::copy_options::overwrite_existing);
    EXPECT_NE(wrong("a"), "");
    fs::remove(folder.path("nodes/b.pub"));
    EXPECT_NE(wrong("a").find("is not the key in"), std::string::npos) << wrong("a");
}

TEST_F(Ring, OneKeyHasOneOwner) {
    fs::create_directories(folder.path("workers"));
    fs::copy(folder.path("nodes/b.pub"), folder.path("workers/w.pub"));
    EXPECT_NE(wrong().find("workers/w.pub: this is the key of node/b"), std::string::npos) << wrong();
}

TEST_F(Ring, WrongFilesAreNamed) {
    folder.write("nodes/c.pub", "nothing");
    EXPECT_NE(wrong().find("nodes/c.pub"), std::string::npos) << wrong();
    folder.write("nodes/c.pub", "public-key = \"" + to_z85(KeyPair::generate().public_key()) + "\"\n");
    EXPECT_NE(wrong().find("no sign-key"), std::string::npos) << wrong();
    fs::remove(folder.path("nodes/c.pub"));
    folder.write("workers/w.pub", folder.text_of("b.key"));
    EXPECT_NE(wrong().find("workers/w.pub: has a secret key"), std::string::npos) << wrong();
    folder.write("workers/w.pub", "");
    EXPECT_NE(wrong().find("workers/w.pub: has no public-key"), std::string::npos) << wrong();
    fs::rename(folder.path("workers/w.pub"), folder.path("workers/a b.pub"));
    EXPECT_NE(wrong().find("is not a valid name"), std::string::npos) << wrong();
}

TEST_F(Ring, OtherFilesAreNotLookedAt) {
    folder.write("nodes/README", "nothing");
    folder.write("nodes/.c.pub", "nothing");
    folder.write("workers/w.pub~", "nothing");
    EXPECT_NE(opened(), nullptr);
}

TEST_F(Ring, WorkerReadsTheNodesAlone) {
    folder.write("workers/w.pub", "nothing");
    const auto ring = Keyring::open({folder.path("b.key"), folder.path()});
    ASSERT_TRUE(ring) << ring.error().text;
    EXPECT_EQ((*ring)->node_keys("").size(), 2u);
}

TEST_F(Ring, ReloadTellsWhatChanged) {
    const auto ring = opened();
    EXPECT_FALSE(ring->reload_if_changed());
    const auto version = ring->version();
    const auto worker = folder.trust("worker", "w");
    fs::remove(folder.path("nodes/b.pub"));
    const auto changes = ring->reload_if_changed();
    ASSERT_TRUE(changes && *changes);
    EXPECT_EQ((*changes)->added, (std::vector{Identity{Role::worker, "w"}}));
    EXPECT_EQ((*changes)->removed, (std::vector{Identity{Role::node, "b"}}));
    EXPECT_EQ(to_string(**changes), "added worker/w, removed node/b");
    EXPECT_GT(ring->version(), version);
    EXPECT_TRUE(ring->find(worker.public_key()));
    EXPECT_FALSE(ring->find(b.public_key()));
    EXPECT_FALSE(ring->is_signed_by("b", "text", b.sign("text")));
    EXPECT_FALSE(ring->reload_if_changed());
    EXPECT_TRUE(ring->reload()->none());
}

TEST_F(Ring, BrokenFileLeavesEverythingAsItWas) {
    const auto ring = opened();
    const auto version = ring->version();
    folder.write("nodes/b.pub", "nothing");
    const auto changes = ring->reload_if_changed();
    ASSERT_TRUE(changes);
    ASSERT_FALSE(*changes);
    EXPECT_NE(changes->error().text.find("nodes/b.pub"), std::string::npos);
    EXPECT_EQ(ring->find(b.public_key()), (Identity{Role::node, "b"}));
    EXPECT_EQ(ring->version(), version);
    EXPECT_FALSE(ring->reload_if_changed()) << "told once";
}

TEST_F(Ring, BothKeysCountWhileOneReplacesTheOther) {
    const auto ring = opened();
    fs::create_directories(folder.path("next"));
    const auto next = KeyPair::generate();
    const auto made = make_key_files(next, folder.path("next"), "b", folder.path("nodes/b.pub"));
    ASSERT_TRUE(made) << made.error().text;
    fs::rename(made->open, folder.path("nodes/b.pub"));
    const auto changes = ring->reload();
    ASSERT_TRUE(changes);
    EXPECT_TRUE(changes->removed.empty());
    EXPECT_EQ(ring->keys_of_node("b"), (std::vector{next.public_key(), b.public_key()}));
    EXPECT_EQ(ring->find(b.public_key()), ring->find(next.public_key()));
    EXPECT_TRUE(ring->is_signed_by("b", "text", b.sign("text")));
    EXPECT_TRUE(ring->is_signed_by("b", "text", next.sign("text")));
}

TEST_F(Ring, OwnPairIsReplacedToo) {
    const auto ring = opened();
    fs::create_directories(folder.path("next"));
    const auto next = KeyPair::generate();
    const auto made = make_key_files(next, folder.path("next"), "a", folder.path("nodes/a.pub"));
    ASSERT_TRUE(made) << made.error().text;
    fs::rename(made->open, folder.path("nodes/a.pub"));
    ASSERT_TRUE(ring->reload());
    EXPECT_EQ(ring->own()->public_key(), a.public_key());
    fs::rename(made->secret, folder.path("a.key"));
    const auto changes = ring->reload();
    ASSERT_TRUE(changes) << changes.error().text;
    EXPECT_TRUE(changes->own);
    EXPECT_EQ(ring->own()->public_key(), next.public_key());
}

TEST_F(Ring, IsAskedByManyThreadsDuringReloads) {
    const auto ring = opened();
    std::thread asking([&] {
        for (int i = 0; i < 200; ++i) {
            EXPECT_TRUE(ring->find(a.public_key()));
            EXPECT_TRUE(ring->is_signed_by("a", "text", ring->sign("text")));
        }
    });
    for (int i = 0; i < 20; ++i) {
        fs::rename(folder.path("nodes/b.pub"), folder.path(i % 2 == 0 ? "nodes/b.off" : "nodes/b.pub"));
        fs::rename(folder.path(i % 2 == 0 ? "nodes/b.off" : "nodes/b.pub"), folder.path("nodes/b.pub"));
        EXPECT_TRUE(ring->reload());
    }
    asking.join();
}

}  // namespace
}  // namespace muster::keys
