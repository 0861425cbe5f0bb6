// Own keys, and those of everybody else that is trusted.
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

/// Thread-safe: every call is answered from one state of the files, and reload() puts another in its place.
class Keyring {
public:
    struct Files {
        std::string key;     // NAME.key
        std::string folder;  // DIR with nodes/, workers/, observers/
        std::string node{};  // name of the node whose key it is; empty: of a worker
    };
    /// Errors: bad_request, one line that names the file and says what to do.
    static Result<std::shared_ptr<Keyring>> open(Files files);

    [[nodiscard]] std::shared_ptr<const KeyPair> own() const;
    /// Whose key it is. A node's own one is always its own.
    [[nodiscard]] std::optional<Identity> find(const PublicKey& key) const;
    struct NodeKey {
        std::string node;
        PublicKey key;
        bool operator==(const NodeKey&) const = default;
    };
    /// CURVE keys that a node may have, to try when connecting to it: those of the node of this name, or of all nodes,
    /// sorted by name, if `name` is empty. Each node's current key comes first.
    [[nodiscard]] std::vector<NodeKey> node_keys(const std::string& name) const;
    /// A node's CURVE keys, the current one first; none when it is not trusted.
    [[nodiscard]] std::vector<PublicKey> keys_of_node(const std::string& name) const;

    /// 64 bytes.
    [[nodiscard]] std::string sign(std::string_view bytes) const;
    [[nodiscard]] bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) const;

    struct Changes {
        std::vector<Identity> added;    // or with another key
        std::vector<Identity> removed;  // or some key of theirs
        bool own = false;

        [[nodiscard]] bool none() const { return added.empty() && removed.empty() && !own; }
    };
    /// Reads the files again. With an error nothing has changed.
    Result<Changes> reload();
    /// The same, but only when a file has changed since it was last read; else nothing.
    std::optional<Result<Changes>> reload_if_changed();
    /// Grows with every reload after which some key is not trusted any more.
    [[nodiscard]] std::uint64_t removals() const { return removals_.load(std::memory_order_acquire); }
    /// Grows with every reload that changed something, after its changes can be seen.
    [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

private:
    struct State {
        std::shared_ptr<const KeyPair> own;
        Trusted trusted;
    };

    explicit Keyring(Files files) : files_(std::move(files)) {}
    [[nodiscard]] Result<State> read() const;
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] std::shared_ptr<const State> state() const;
    void set(State state);

    const Files files_;
    mutable std::mutex mutex_;  // of the state
    std::shared_ptr<const State> state_;
    std::mutex reloading_;
    std::string fingerprint_;  // under `reloading_`
    std::atomic<std::uint64_t> version_ = 0;
    std::atomic<std::uint64_t> removals_ = 0;
};

/// "added worker/w, removed node/c", for a log.
std::string to_string(const Keyring::Changes& changes);

}  // namespace muster::keys
