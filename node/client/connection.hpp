// The sockets of a worker: one DEALER to one node, and a bare TCP connect that
// tells whether anything listens.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "node/client/time.hpp"
#include "node/io/port_probe.hpp"
#include "node/keys/keyring.hpp"

namespace muster::client {

/// One DEALER for one TCP connection: it never reconnects by itself, because
/// what was on its way when a connection broke is lost, and only a new hello
/// makes both sides send it again. Owned by one thread.
///
/// With keys, whose key to expect is known when the address names a node. Otherwise, and for a node that has two, all
/// are tried at once, each by a DEALER of its own that sends the same; the one that hears something first is kept.
/// Beyond kKeysAtOnce, the next ones are tried when it is opened the next time.
class Connection {
public:
    static constexpr std::size_t kKeysAtOnce = 32;

    /// The context is to outlive the connection. `keys`: empty for none.
    Connection(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys)
        : context_(context), keys_(std::move(keys)) {}

    /// Closes what was open; a goodbye already sent is dropped. False when the address is none, or the node's key is
    /// not there.
    bool open(const std::string& address);
    void close();
    /// Gives what was sent up to 200 ms to leave, for which the end of the context waits.
    void close_gently();

    /// False when it is broken.
    bool send(const std::string& frame);
    /// False when nothing is there.
    bool receive(zmq::message_t& frame);
    /// Readable when `has_input` may have changed, told by edges: to be looked at after whatever was done with the
    /// connection. Only while it is open.
    [[nodiscard]] std::vector<int> fds() const;
    /// Whether there is something to receive.
    [[nodiscard]] bool has_input() const;
    /// The node whose key the other end of what was received last has; empty: without keys.
    [[nodiscard]] const std::string& peer() const { return peer_; }

private:
    struct Key {
        std::string node;                         // whose it is
        std::optional<keys::PublicKey> key = {};  // empty: without keys
        bool operator==(const Key&) const = default;
    };
    struct Try {
        Key key;
        zmq::socket_t socket;
    };

    [[nodiscard]] std::vector<Key> keys_for(const std::string& address);
    void keep(std::size_t index);

    zmq::context_t& context_;
    const std::shared_ptr<keys::Keyring> keys_;
    std::string address_;
    std::string peer_;
    std::vector<Try> tries_;               // one, once something was heard
    std::map<std::string, Key> answered_;  // by address: tried first of all
    std::size_t rotation_ = 0;
};

/// A TCP connect that does not block. Names are not looked up (that would
/// block), except "localhost": for other names it never tells anything.
class PortCheck {
public:
    /// True when a check has begun that was not under way, and `fd` is to be polled for writing.
    bool start(const std::string& address, Instant now);
    void stop() { probe_.reset(); }
    /// -1 when no check runs.
    [[nodiscard]] int fd() const { return probe_ ? probe_->fd() : -1; }
    [[nodiscard]] const std::string& address() const { return address_; }
    /// To be called when `fd` is ready, at the start, and now and then. True once: it was refused.
    bool is_refused(Instant now);

private:
    std::optional<node::PortProbe> probe_;
    std::string address_;
    Instant until_{};
};

}  // namespace muster::client
