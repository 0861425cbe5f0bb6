// One connection to a nats-server, over its text protocol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::bench {

/// What goes wrong is thrown as std::runtime_error.
class NatsConnection {
public:
    /// To 127.0.0.1.
    explicit NatsConnection(std::uint16_t port);
    ~NatsConnection();
    NatsConnection(const NatsConnection&) = delete;
    NatsConnection& operator=(const NatsConnection&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    void send(std::string_view bytes);
    /// Returns when the server has it.
    void subscribe(std::string_view subject);
    /// Takes what has arrived, without waiting; returns how many messages that were.
    std::uint64_t receive();

private:
    /// Takes the first line or message of what has arrived; false when it is not complete.
    bool take_one(std::size_t& at, std::uint64_t& messages);

    int fd_ = -1;
    bool pong_ = false;
    std::string arrived_;
};

}  // namespace muster::bench
