// Applies the node's keys to its sockets.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <zmq.hpp>

#include "cluster/event.hpp"
#include "node/admission/authenticator.hpp"

namespace muster::node {

/// Sets sockets up for CURVE, identifies the sender of each message, and tells when connections must be made again
/// because keys have changed. Without keys, sockets stay as they are and every sender is accepted. Used by the loop's
/// thread unless stated otherwise.
class Security {
public:
    /// `keys`: empty for none. With keys, the authenticator is running when the constructor returns.
    Security(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys, NodeCounters& counters,
             std::shared_ptr<Wakeup> loop);

    [[nodiscard]] bool has_keys() const { return keys_ != nullptr; }
    [[nodiscard]] const keys::Keyring& keys() const { return *keys_; }

    /// Makes a socket a CURVE server. Must be called before it is bound. `domain`: kNodesOnly or kAllRoles.
    void prepare_server(zmq::socket_t& socket, const char* domain);
    /// Prepares the next connect of a socket, to a server that has this key.
    void prepare_client(zmq::socket_t& socket, const keys::PublicKey& server) const;
    /// Prepares the next connect of a socket, to the node of this name. Expects the key that the node showed last. If
    /// it showed none yet, expects its next key after `used`, so that repeated calls try all of its keys. Writes the
    /// key to `used`. False if no key of the node is trusted.
    bool prepare_client(zmq::socket_t& socket, const std::string& node, std::optional<keys::PublicKey>& used);
    /// Remembers that a node has proved that it has this key. Any thread.
    void node_key_seen(const std::string& node, const keys::PublicKey& key);
    /// Whether a connection that was made with this key (empty: without keys) must be made again: the key is no longer
    /// trusted, or the node has shown another trusted key since.
    [[nodiscard]] bool is_out_of_date(const std::string& node, const std::optional<keys::PublicKey>& used) const;

    /// Identifies who sent a message, by its payload frame. Empty if the message must be dropped, which is counted.
    std::optional<cluster::Sender> sender_of(zmq::message_t& frame);

    /// What has changed since the last call.
    struct Changes {
        bool own = false;      // the node's own pair
        bool removed = false;  // some key is no longer trusted
        bool seen = false;     // a node has shown another key than before
    };
    Changes take_changes();
    std::vector<LogLine> take_log_lines();

private:
    const std::shared_ptr<keys::Keyring> keys_;
    NodeCounters& counters_;
    const std::shared_ptr<Wakeup> loop_;
    mutable std::mutex mutex_;                     // guards seen_ and seen_changed_
    std::map<std::string, keys::PublicKey> seen_;  // by node: the key that it showed last
    bool seen_changed_ = false;

    // Used by the loop's thread only:
    std::uint64_t senders_version_ = 0;  // the keyring's version when senders_ was filled
    std::uint64_t removals_ = 0;         // the keyring's removals at the last take_changes()
    keys::PublicKey own_{};
    std::map<std::string, cluster::Sender, std::less<>> senders_;  // cache: trusted senders by key in Z85
    std::optional<Authenticator> authenticator_;
};

}  // namespace muster::node
