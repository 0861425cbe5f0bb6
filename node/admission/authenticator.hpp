// Who may connect to a node's sockets: asked by libzmq for every handshake.
#pragma once

#include <muster/log_line.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include "node/io/node_counters.hpp"
#include "node/io/wakeup.hpp"
#include "node/keys/keyring.hpp"

namespace muster::node {

/// ZAP domains: whom a socket admits.
inline constexpr const char* kNodesOnly = "nodes";
inline constexpr const char* kAllRoles = "all";
/// Property of every message of an admitted connection, beside the User-Id ("node/a"): its public key in Z85.
inline constexpr const char* kKeyProperty = "X-Key";

/// The ZAP handler of a context, on a thread of its own, which begins before the constructor returns: to be made
/// before any socket is bound. Were it to end, libzmq would admit everyone; the process ends instead.
///
/// The thread also looks every second whether a key file has changed.
class Authenticator {
public:
    /// A node has shown this key. Called on the authenticator's thread.
    using Seen = std::function<void(const std::string& node, const keys::PublicKey& key)>;

    Authenticator(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys, NodeCounters& counts,
                  std::shared_ptr<Wakeup> loop, Seen seen);
    /// No socket of the context may be bound any more.
    ~Authenticator();
    Authenticator(const Authenticator&) = delete;
    Authenticator& operator=(const Authenticator&) = delete;

    /// What became of changed key files since the last call.
    std::vector<LogLine> take_news();

private:
    void run(zmq::socket_t zap) noexcept;
    void serve(zmq::socket_t& zap);
    void answer(zmq::socket_t& zap);
    [[nodiscard]] std::optional<keys::Identity> admitted(const std::vector<zmq::message_t>& request);
    void look_at_files();

    const std::shared_ptr<keys::Keyring> keys_;
    NodeCounters& counts_;
    const std::shared_ptr<Wakeup> loop_;
    const Seen seen_;
    Wakeup told_;  // to stop
    std::atomic<bool> stop_ = false;
    std::mutex mutex_;  // of the news
    std::vector<LogLine> news_;
    std::thread thread_;
};

}  // namespace muster::node
