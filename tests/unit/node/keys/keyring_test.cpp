#include "node/keys/keyring.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <thread>
#include <utility>

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
    ASSERT_TRUE(changes);
    EXPECT_EQ(changes->added, (std::vector{Identity{Role::worker, "w"}}));
    EXPECT_EQ(changes->removed, (std::vector{Identity{Role::node, "b"}}));
    EXPECT_EQ(to_string(*changes), "added worker/w, removed node/b");
    EXPECT_GT(ring->version(), version);
    EXPECT_TRUE(ring->find(worker.public_key()));
    EXPECT_FALSE(ring->find(b.public_key()));
    EXPECT_FALSE(ring->is_signed_by("b", "text", b.sign("text")));
    EXPECT_FALSE(ring->reload_if_changed());
    EXPECT_TRUE(ring->reload().none());
}

TEST_F(Ring, BrokenFileLeavesItsOwnerAsItWas) {
    const auto ring = opened();
    const auto version = ring->version();
    const auto whole = folder.text_of("nodes/b.pub");
    folder.write("nodes/b.pub", "nothing");
    const auto changes = ring->reload_if_changed();
    ASSERT_TRUE(changes);
    ASSERT_EQ(changes->problems.size(), 1u);
    EXPECT_NE(text_of(changes->problems).find("nodes/b.pub"), std::string::npos);
    EXPECT_TRUE(changes->none());
    EXPECT_EQ(ring->find(b.public_key()), (Identity{Role::node, "b"}));
    EXPECT_EQ(ring->keys_of_node("b"), std::vector{b.public_key()});
    EXPECT_TRUE(ring->is_signed_by("b", "text", b.sign("text")));
    EXPECT_EQ(ring->version(), version);
    EXPECT_EQ(ring->stale(), 1u);
    EXPECT_FALSE(ring->reload_if_changed()) << "told once";
    EXPECT_EQ(ring->stale(), 1u);
    folder.write("nodes/b.pub", whole);
    EXPECT_TRUE(ring->reload_if_changed());
    EXPECT_EQ(ring->stale(), 0u);
}

TEST_F(Ring, RemovedKeyIsNotTrustedWhateverElseIsBroken) {
    const auto before = folder.text_of("nodes/b.pub");
    const auto own = folder.text_of("a.key");
    const auto half = before.substr(0, before.size() / 2);
    const std::pair<const char*, std::function<void()>> breakages[]{
        {"half a file", [&] { folder.write("nodes/b.pub", half); }},
        {"a new file that is no key", [&] { folder.write("workers/x.pub", "nothing"); }},
        {"a name that is none", [&] { folder.write("workers/a b.pub", before); }},
        {"a key of two", [&] { folder.write("observers/b.pub", before); }},
        {"the own pair", [&] { folder.write("a.key", "nothing"); }},
        {"no own file", [&] { fs::remove(folder.path("a.key")); }},
        {"the own pair of another", [&] { folder.write("a.key", folder.text_of("b.key")); }},
        {"a pair that is not the one of the others",
         [&] { fs::copy(folder.path("next.key"), folder.path("a.key"), fs::copy_options::overwrite_existing); }},
        {"a folder that is none",
         [&] {
             fs::remove_all(folder.path("observers"));
             folder.write("observers", "nothing");
         }},
    };
    const auto next = folder.trust("node", "next");
    fs::remove(folder.path("nodes/next.pub"));
    for (const auto& [what, break_it] : breakages) {
        SCOPED_TRACE(what);
        const auto lost = folder.trust("worker", "lost");
        const auto observer = folder.trust("observer", "o");
        const auto ring = opened();
        const auto removals = ring->removals();
        break_it();
        fs::remove(folder.path("workers/lost.pub"));
        const auto fresh = folder.trust("worker", "fresh");
        const auto changes = ring->reload_if_changed();
        ASSERT_TRUE(changes);
        EXPECT_EQ(changes->removed, (std::vector{Identity{Role::worker, "lost"}}));
        EXPECT_EQ(changes->added, (std::vector{Identity{Role::worker, "fresh"}}));
        EXPECT_EQ(changes->problems.size(), 1u) << text_of(changes->problems);
        EXPECT_EQ(ring->stale(), 1u);
        EXPECT_EQ(ring->removals(), removals + 1);
        EXPECT_FALSE(ring->find(lost.public_key()));
        EXPECT_FALSE(ring->find(next.public_key()));
        EXPECT_TRUE(ring->find(fresh.public_key()));
        EXPECT_EQ(ring->find(observer.public_key()), (Identity{Role::observer, "o"}));
        EXPECT_EQ(ring->find(b.public_key()), (Identity{Role::node, "b"}));
        EXPECT_EQ(ring->find(a.public_key()), (Identity{Role::node, "a"}));
        EXPECT_EQ(ring->own()->public_key(), a.public_key());
        EXPECT_TRUE(ring->is_signed_by("a", "text", ring->sign("text")));
        EXPECT_TRUE(ring->is_signed_by("b", "text", b.sign("text")));
        folder.write("nodes/b.pub", before);
        folder.write("a.key", own);
        fs::permissions(folder.path("a.key"), fs::perms::owner_read | fs::perms::owner_write);
        fs::remove_all(folder.path("observers"));
        fs::remove_all(folder.path("workers"));
        for (const char* made : {"lost.key", "o.key", "fresh.key"}) fs::remove(folder.path(made));
    }
}

TEST_F(Ring, RemovedFolderOfARoleRemovesItsKeys) {
    const auto worker = folder.trust("worker", "w");
    const auto ring = opened();
    folder.write("nodes/b.pub", "nothing");
    fs::remove_all(folder.path("workers"));
    ASSERT_TRUE(ring->reload_if_changed());
    EXPECT_FALSE(ring->find(worker.public_key()));
}

TEST_F(Ring, KeyThatTwoFilesHaveStaysWithItsOwner) {
    const auto ring = opened();
    folder.write("nodes/a-first.pub", folder.text_of("nodes/b.pub"));  // read before b.pub
    const auto changes = ring->reload();
    EXPECT_EQ(changes.problems.size(), 1u);
    EXPECT_EQ(ring->find(b.public_key()), (Identity{Role::node, "b"}));
    EXPECT_TRUE(ring->keys_of_node("a-first").empty());
}

TEST_F(Ring, KeyOfABrokenFileCanGoToAnother) {
    const auto ring = opened();
    folder.write("nodes/c.pub", folder.text_of("nodes/b.pub"));
    folder.write("nodes/b.pub", "nothing");
    const auto changes = ring->reload();
    EXPECT_EQ(changes.problems.size(), 1u);
    EXPECT_EQ(ring->find(b.public_key()), (Identity{Role::node, "c"}));
    EXPECT_TRUE(ring->keys_of_node("b").empty());
    EXPECT_FALSE(ring->is_signed_by("b", "text", b.sign("text")));
}

TEST_F(Ring, BothKeysCountWhileOneReplacesTheOther) {
    const auto ring = opened();
    fs::create_directories(folder.path("next"));
    const auto next = KeyPair::generate();
    const auto made = make_key_files(next, folder.path("next"), "b", folder.path("nodes/b.pub"));
    ASSERT_TRUE(made) << made.error().text;
    fs::rename(made->open, folder.path("nodes/b.pub"));
    EXPECT_TRUE(ring->reload().removed.empty());
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
    EXPECT_EQ(text_of(ring->reload().problems), "");
    EXPECT_EQ(ring->own()->public_key(), a.public_key());
    fs::rename(made->secret, folder.path("a.key"));
    const auto changes = ring->reload();
    EXPECT_EQ(text_of(changes.problems), "");
    EXPECT_TRUE(changes.own);
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
        EXPECT_EQ(text_of(ring->reload().problems), "");
    }
    asking.join();
}

}  // namespace
}  // namespace muster::keys
