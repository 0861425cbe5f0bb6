// Decides which clients may connect: libzmq asks it during every CURVE handshake.
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

/// ZAP domains: which roles a socket admits.
inline constexpr const char* kNodesOnly = "nodes";
inline constexpr const char* kAllRoles = "all";
/// ZMTP property with the client's public key in Z85. libzmq attaches it, like User-Id ("node/a"), to every message of
/// an admitted connection.
inline constexpr const char* kKeyProperty = "X-Key";

/// The log lines that say how the key files were read again.
std::vector<LogLine> key_lines(const keys::Keyring::Changes& changes);

/// The ZAP handler (ZeroMQ RFC 27) of a context. It has a thread of its own and handles requests as soon as the
/// constructor returns. Must be made before any socket of the context is bound, because without a ZAP handler libzmq
/// admits every client. For the same reason the process aborts if the thread fails.
///
/// The thread also checks the key files for changes, once a second.
class Authenticator {
public:
    /// A node has proved that it has this key. Called on the authenticator's thread.
    using OnNodeKey = std::function<void(const std::string& node, const keys::PublicKey& key)>;

    /// `loop` is notified when there are log lines to take.
    Authenticator(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys, NodeCounters& counters,
                  std::shared_ptr<Wakeup> loop, OnNodeKey on_node_key);
    /// All bound sockets of the context must be closed.
    ~Authenticator();
    Authenticator(const Authenticator&) = delete;
    Authenticator& operator=(const Authenticator&) = delete;

    /// Lines about the changes of the key files since the last call. Any thread.
    std::vector<LogLine> take_log_lines();

private:
    void run(zmq::socket_t zap) noexcept;
    void serve(zmq::socket_t& zap);
    void answer(zmq::socket_t& zap);
    [[nodiscard]] std::optional<keys::Identity> admitted(const std::vector<zmq::message_t>& request);
    void reload_changed_files();

    const std::shared_ptr<keys::Keyring> keys_;
    NodeCounters& counters_;
    const std::shared_ptr<Wakeup> loop_;
    const OnNodeKey on_node_key_;
    Wakeup stop_wakeup_;
    std::atomic<bool> stop_ = false;
    std::mutex mutex_;  // guards lines_
    std::vector<LogLine> lines_;
    std::thread thread_;
};

}  // namespace muster::node
