// The connection of a worker to one node, and a check whether a port refuses connections.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "node/client/time.hpp"
#include "node/io/poller.hpp"
#include "node/io/port_probe.hpp"
#include "node/keys/keyring.hpp"

namespace muster::client {

/// A DEALER socket with one TCP connection. It never reconnects by itself: frames that were on their way when a
/// connection broke are lost, and only a new hello makes both sides send them again (PROTOCOL.md, "Transport").
/// Used by one thread.
///
/// With keys, a client must know the server's key before it connects. An address NAME@host:port says whose key that is.
/// Without a name, or if that node has two keys, each candidate is tried at the same time over a socket of its own,
/// which sends the same frames. The socket that receives a frame first is kept. If there are more than kKeysAtOnce
/// candidates, each `open` tries the next ones.
class Connection {
public:
    static constexpr std::size_t kKeysAtOnce = 32;

    struct Key {
        std::string node;                         // the node that has it
        std::optional<keys::PublicKey> key = {};  // empty: no encryption
        bool operator==(const Key&) const = default;
    };
    /// Which keys a worker has tried, over all of its connections.
    struct Tried {
        std::map<std::string, Key>
            answered;              // address -> the key that was right last time; always among the candidates
        std::size_t rotation = 0;  // index of the first key that the next `open` tries
    };

    /// The context must outlive the connection. `keys`: null: no encryption.
    Connection(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys, std::shared_ptr<Tried> tried)
        : context_(context), keys_(std::move(keys)), tried_(std::move(tried)) {}

    /// Closes the connection that was open; frames that have not left are dropped. `address`: says whose key to expect.
    /// `endpoint`: "number:port". False if the endpoint is not valid, or if there is no key to expect.
    bool open(const std::string& address, const std::string& endpoint);
    void close();
    /// Closes, but gives frames up to 200 ms to leave. The end of the context waits for them.
    void close_gently();

    /// False if the connection is broken.
    bool send(const std::string& frame);
    /// False if nothing has arrived.
    bool receive(zmq::message_t& frame);
    /// Readable when `has_input` may have become true. ZeroMQ signals this by edges, so check `has_input` after every
    /// other use of the connection. Valid while the connection is open.
    [[nodiscard]] std::vector<int> fds() const;
    /// One of them is readable.
    void signalled();
    /// Whether there is something to receive.
    [[nodiscard]] bool has_input();
    /// The node whose key the sender of the last frame has; empty without keys.
    [[nodiscard]] const std::string& peer() const { return peer_; }

private:
    struct Candidate {
        Key key;
        node::Socket socket;
    };

    [[nodiscard]] std::vector<Key> keys_for(const std::string& address);
    void keep(std::size_t index);

    zmq::context_t& context_;
    const std::shared_ptr<keys::Keyring> keys_;
    const std::shared_ptr<Tried> tried_;
    std::string address_;
    std::string peer_;
    std::vector<Candidate> candidates_;  // one, after the first frame was received
};

/// A TCP connect that does not block, for one endpoint at a time.
class PortCheck {
public:
    /// True if a new check has begun: poll `fd` for writing, unless it is -1, which means that the result is known
    /// already. False if that endpoint is being checked already, or is not valid.
    bool start(const std::string& endpoint, Instant until);
    void stop() { probe_.reset(); }
    /// -1 if no check runs, or none has to be waited for.
    [[nodiscard]] int fd() const { return probe_ ? probe_->fd() : -1; }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    /// When `take_result` is due at the latest. Instant::max() if no check runs.
    [[nodiscard]] Instant deadline() const { return probe_ ? until_ : Instant::max(); }
    /// Call it after `start`, when `fd` is ready, and at the deadline. How the check ended, once; `connecting`: the
    /// host did not answer in time.
    std::optional<node::PortProbe::State> take_result(Instant now);

private:
    std::optional<node::PortProbe> probe_;
    std::string endpoint_;
    Instant until_{};
};

}  // namespace muster::client
