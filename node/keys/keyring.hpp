// The own keys of a process, and the keys that it trusts.
#pragma once

#include <muster/result.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/keys/key_pair.hpp"
#include "node/keys/trusted.hpp"

namespace muster::keys {

/// Thread-safe. Each call uses one consistent state of the files; reload() replaces that state as a whole.
///
/// A reload that finds files that it cannot read applies all others: keys are added, replaced and, above all, removed.
/// The owners of these files keep the keys that they had.
class Keyring {
public:
    struct Files {
        std::string key;     // NAME.key
        std::string folder;  // DIR with nodes/, workers/, observers/, operators/
        std::string node{};  // the node's name; empty: the key is a worker's
    };
    /// Errors: bad_request (or overloaded, if the process has no more descriptors), in one line that names the file and
    /// says what to do.
    static Result<std::shared_ptr<Keyring>> open(Files files);

    [[nodiscard]] std::shared_ptr<const KeyPair> own() const;
    /// The owner of a trusted CURVE key. A node always trusts its own key, also without a file in nodes/.
    [[nodiscard]] std::optional<Identity> find(const PublicKey& key) const;
    struct NodeKey {
        std::string node;
        PublicKey key;
        bool operator==(const NodeKey&) const = default;
    };
    /// CURVE keys that a node may have, to try when connecting to it: those of the node of this name, or of all nodes,
    /// sorted by name, if `name` is empty. Each node's current key comes first.
    [[nodiscard]] std::vector<NodeKey> node_keys(const std::string& name) const;
    /// A node's CURVE keys, the current one first. Empty if the node is not trusted.
    [[nodiscard]] std::vector<PublicKey> keys_of_node(const std::string& name) const;
    /// Whether a worker of this name is trusted.
    [[nodiscard]] bool is_worker(const std::string& name) const;

    /// A signature of 64 bytes with the own key.
    [[nodiscard]] std::string sign(std::string_view bytes) const;
    /// True for any signing key of `node`, the current or the old one.
    [[nodiscard]] bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) const;

    struct Changes {
        std::vector<Identity> added;    // new owners, and owners with a new key
        std::vector<Identity> removed;  // owners that are gone, or that lost a key
        bool own = false;               // the own pair changed
        std::vector<Error> problems;    // what could not be read; there, keys are as they were

        /// Whether the keys are the same as before.
        [[nodiscard]] bool none() const { return added.empty() && removed.empty() && !own; }
    };
    /// Reads the files again.
    Changes reload();
    /// Same as reload(), but returns nothing if no file has changed since the last read.
    std::optional<Changes> reload_if_changed();
    /// Number of files and folders that the last read could not use: there, keys are stale.
    [[nodiscard]] std::size_t stale() const { return stale_.load(std::memory_order_acquire); }
    /// Increases with each reload that removed a trusted key. Connections check it to drop peers with removed keys.
    [[nodiscard]] std::uint64_t removals() const { return removals_.load(std::memory_order_acquire); }
    /// Increases with each reload that changed something, after the new state is visible.
    [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

private:
    struct State {
        std::shared_ptr<const KeyPair> own;
        Trusted trusted;
    };

    explicit Keyring(Files files) : files_(std::move(files)) {}
    /// What cannot be read is added to `problems`, and taken from `before`. `before` is empty for the first read; then
    /// the result is of use only without problems.
    [[nodiscard]] State read(const State& before, std::vector<Error>& problems) const;
    /// What is wrong if the pair of `state` is that of this node. Trusts it otherwise.
    [[nodiscard]] std::optional<Error> trust_own(State& state) const;
    Changes reload_locked();
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] std::shared_ptr<const State> state() const;
    void set(State state);

    const Files files_;
    mutable std::mutex mutex_;  // guards state_
    std::shared_ptr<const State> state_;
    std::mutex reloading_;  // one reload at a time; guards fingerprint_
    std::string fingerprint_;
    std::atomic<std::size_t> stale_ = 0;
    std::atomic<std::uint64_t> version_ = 0;
    std::atomic<std::uint64_t> removals_ = 0;
};

/// For a log: "added worker/w, removed node/c".
std::string to_string(const Keyring::Changes& changes);
/// For a log: the first problem, and how many more there are. Empty if there is none.
std::string text_of(const std::vector<Error>& problems);

}  // namespace muster::keys
