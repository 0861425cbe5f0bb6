// Connections to nodes that the workers of a process share. PROTOCOL.md, "Bundles".
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "node/client/connection.hpp"
#include "node/client/reactor.hpp"
#include "proto/bundle.hpp"

namespace muster::client {

class Line;

/// One connection, and the lines of workers on it. Each worker's session has a line, which to the session is a
/// connection of its own. A turn's messages of all lines leave in one frame, and one frame brings those for all.
///
/// The first line says hello alone, and its welcome says whether the node takes bundles. Lines that come before that
/// wait for it, and those of an older node open connections of their own. A line that its session gives up may have
/// found the connection dead, so no further line comes to it.
///
/// Used by the reactor's thread only.
class Carrier : public Reactor::Task, public std::enable_shared_from_this<Carrier> {
public:
    Carrier(Reactor& reactor, std::shared_ptr<keys::Keyring> keys, std::shared_ptr<Connection::Tried> tried);
    ~Carrier() override = default;

private:
    friend class Line;

    /// Whether the node takes bundles.
    enum class Sharing { unknown, yes, no };

    [[nodiscard]] bool open(const std::string& address, const std::string& endpoint);
    using Lines = std::map<std::uint64_t, Line*>;

    [[nodiscard]] bool takes_lines() const;
    std::uint64_t add(Line& line);
    void remove(std::uint64_t number, bool given_up);
    void send_away(bool alone);
    /// False if the connection is broken.
    bool send(std::uint64_t number, const proto::Message& message);
    void flush();
    void close(bool gently);
    std::optional<Instant> turn() override;
    void receive();
    void take(std::uint64_t number, proto::Decoded&& message);
    void learn(Sharing sharing);
    void broke();
    void wake();

    Reactor& reactor_;
    std::weak_ptr<Reactor::Registration> registration_;  // which owns this
    Connection connection_;
    Lines lines_;
    std::uint64_t next_line_ = 0;
    Sharing sharing_ = Sharing::unknown;
    bool is_retired_ = false;  // takes no further lines
    bool is_broken_ = false;
    proto::BundleEncoder bundle_;
    std::string frame_;
};

/// What a worker's session has instead of a connection. Used by the reactor's thread only.
class Line {
public:
    /// `worker`: gets a turn when something has arrived. `keys`: null: no encryption.
    Line(Reactor& reactor, std::shared_ptr<Reactor::Registration> worker, std::shared_ptr<keys::Keyring> keys)
        : reactor_(reactor), worker_(std::move(worker)), keys_(std::move(keys)) {}
    ~Line() { close(); }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    /// Closes the line that was open, and opens one to the node at `endpoint`, "number:port". `address`: says whose key
    /// to expect. False if the endpoint is not valid, if there is no key to expect, or if no descriptor is left.
    bool open(const std::string& address, const std::string& endpoint);
    /// What has not left may be dropped.
    void close() { leave(true); }
    /// What was sent leaves before the connection is closed: the end of the context waits for it, up to 200 ms.
    void close_gently();
    /// Moves what is open to another line, to which nothing is passed any more.
    void hand_over(Line& to);

    /// False if the connection is broken.
    bool send(const proto::Message& message);
    /// False if nothing has arrived.
    bool receive(proto::Decoded& message);
    [[nodiscard]] bool has_input() const { return !arrived_.empty(); }
    /// The connection that was open has broken, and everything that had arrived has been received.
    [[nodiscard]] bool is_broken() const { return is_broken_ && arrived_.empty(); }
    /// The node whose key the connection has; empty without keys.
    [[nodiscard]] const std::string& peer() const { return peer_; }

private:
    friend class Carrier;

    [[nodiscard]] std::string target() const;
    bool join(bool alone);
    void leave(bool given_up);

    Reactor& reactor_;
    const std::shared_ptr<Reactor::Registration> worker_;
    const std::shared_ptr<keys::Keyring> keys_;
    const std::shared_ptr<Connection::Tried> tried_ = std::make_shared<Connection::Tried>();
    std::shared_ptr<Carrier> carrier_;
    std::uint64_t number_ = 0;
    std::string address_;
    std::string endpoint_;
    std::string peer_;
    std::vector<proto::Message> held_;  // until it is known whether the node takes bundles
    std::deque<proto::Decoded> arrived_;
    bool is_broken_ = false;
    bool is_deaf_ = false;  // see hand_over()
};

}  // namespace muster::client
