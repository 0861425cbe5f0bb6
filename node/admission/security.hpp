// Keys, as a node's sockets use them.
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

/// Without keys, sockets are as libzmq makes them and everyone may speak. Used by the loop, unless said otherwise.
class Security {
public:
    /// `keys`: empty for none. With keys, the authenticator runs when this returns.
    Security(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys, NodeCounters& counts,
             std::shared_ptr<Wakeup> loop);

    [[nodiscard]] bool has_keys() const { return keys_ != nullptr; }
    [[nodiscard]] const keys::Keyring& keys() const { return *keys_; }

    /// To be called before the socket is bound. `domain`: kNodesOnly or kAllRoles.
    void open_server(zmq::socket_t& socket, const char* domain);
    /// For the next connect of a socket to a node that has this key.
    void prepare(zmq::socket_t& socket, const keys::PublicKey& server) const;
    /// The same for the node of this name, with the key that it was seen with last; if it was not, with another than
    /// the one that was `used` before, and now is. False when it is not trusted.
    bool prepare(zmq::socket_t& socket, const std::string& node, std::optional<keys::PublicKey>& used);
    /// A node has proved that it has this key. Any thread.
    void seen(const std::string& node, const keys::PublicKey& key);
    /// Whether a link that was made with this key (none: without keys) should be made anew, or ended: the key is not
    /// trusted any more, or the node was seen with another one since.
    [[nodiscard]] bool is_out_of_date(const std::string& node, const std::optional<keys::PublicKey>& used) const;

    /// Who sent this message; nothing, and counted, when it must be dropped. `frame`: the one with the payload.
    std::optional<cluster::Sender> sender_of(zmq::message_t& frame);

    /// What has changed since the last call.
    struct Changes {
        bool own = false;      // the node's own pair
        bool removed = false;  // some key is not trusted any more
        bool seen = false;     // a node was seen with another key
    };
    Changes take_changes();
    std::vector<LogLine> take_news();

private:
    const std::shared_ptr<keys::Keyring> keys_;
    NodeCounters& counts_;
    const std::shared_ptr<Wakeup> loop_;
    mutable std::mutex mutex_;                     // of what was seen
    std::map<std::string, keys::PublicKey> seen_;  // of nodes, the latest
    bool seen_changed_ = false;

    // of the loop
    std::uint64_t senders_version_ = 0;  // of the keyring, when the senders were looked up
    std::uint64_t removals_ = 0;         // of the keyring, when changes were taken last
    keys::PublicKey own_{};
    std::map<std::string, cluster::Sender, std::less<>> senders_;  // by key in Z85; of the trusted ones
    std::optional<Authenticator> authenticator_;
};

}  // namespace muster::node
