// One HTTP connection as the library reads and writes it: bounded in bytes and in time.
#pragma once

#include <httplib.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace muster::daemon {

/// Of what comes it gives 16 KiB at most, for five seconds at most, and waits two seconds at most for more of it, or
/// for the other side to take some. Then it fails, as a connection does that has ended. Does not own the socket.
class RequestStream final : public httplib::Stream {
public:
    explicit RequestStream(socket_t socket) : socket_(socket) {}

    [[nodiscard]] bool is_readable() const override;
    /// Also false when the other side has gone, which is all that an answer without end hears of it.
    [[nodiscard]] bool is_writable() const override;
    ssize_t read(char* to, std::size_t size) override;
    ssize_t write(const char* from, std::size_t size) override;
    /// Not told: nothing is answered by who asks.
    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    [[nodiscard]] socket_t socket() const override { return socket_; }

private:
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] bool wait_for(short events, Clock::duration patience) const;
    bool fill();

    const socket_t socket_;
    const Clock::time_point begun_ = Clock::now();
    std::array<char, 4096> buffer_{};  // lines are read byte by byte
    std::size_t at_ = 0;
    std::size_t end_ = 0;
    std::size_t taken_ = 0;
};

}  // namespace muster::daemon
