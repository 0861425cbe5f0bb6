// Whatever somebody may send to a port: plain TCP, and ZMTP 3 by hand where libzmq would do it right.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace muster::test {

/// One connection. Nothing here blocks for longer than it is told to.
class RawPeer {
public:
    /// Connects to "host:port"; `receive_buffer` bytes in the kernel, 0: as usual. Throws when there is no way.
    explicit RawPeer(const std::string& address, int receive_buffer = 0);
    ~RawPeer();
    RawPeer(RawPeer&& other) noexcept;
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;

    /// False when the other side takes no more within the time, or has ended the connection.
    bool send(std::string_view bytes, std::chrono::milliseconds patience = std::chrono::seconds(5));
    /// Greets and says of which socket type it is; false when the other side does not do so as well.
    bool shake(std::string_view socket_type);
    /// The next message or command, after the other side's greeting; nothing in time, or when it ended.
    std::optional<std::string> read_frame(std::chrono::milliseconds patience = std::chrono::seconds(5));
    /// Whether the other side ends the connection in time. What it says before is passed over.
    bool is_ended(std::chrono::milliseconds patience = std::chrono::seconds(15));

    /// All that comes until the other side ends the connection, or nothing more comes in time.
    std::string read_all(std::chrono::milliseconds patience = std::chrono::seconds(15));

private:
    bool read_more(std::chrono::milliseconds patience);

    int socket_ = -1;
    std::string read_;
    bool greeted_ = false;
    bool ended_ = false;
};

/// The body of the answer to "GET `path`"; nothing without an answer.
std::optional<std::string> http_get(const std::string& address, const std::string& path);

/// What ZMTP 3 has on the wire.
std::string zmtp_greeting(std::string_view mechanism = "NULL", char major = 3);
std::string zmtp_ready(std::string_view socket_type);
std::string zmtp_frame(std::string_view body, bool more = false);
/// The head of a frame that is said to have so many bytes.
std::string zmtp_long_head(unsigned long long bytes, bool more = false);

}  // namespace muster::test
