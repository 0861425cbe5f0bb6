#include "tests/integration/raw_peer.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "tests/integration/process.hpp"

namespace muster::test {
namespace {

constexpr std::size_t kGreeting = 64;
constexpr char kMore = 1;
constexpr char kLong = 2;
constexpr char kCommand = 4;

std::string big_endian(std::uint64_t value, int bytes) {
    std::string text;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
    return text;
}

sockaddr_in to_socket_address(const std::string& address) {
    const auto colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    if (::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1)
        throw std::runtime_error("no such address: " + address);
    return to;
}

bool wait_for(int socket, short events, std::chrono::milliseconds patience) {
    pollfd item{socket, events, 0};
    return ::poll(&item, 1, static_cast<int>(hurried(patience).count())) > 0;
}

}  // namespace

std::string zmtp_greeting(std::string_view mechanism, char major) {
    std::string bytes("\xff\0\0\0\0\0\0\0\0\x7f", 10);
    bytes += major;
    bytes += '\0';
    bytes += mechanism;
    bytes.resize(kGreeting, '\0');
    return bytes;
}

std::string zmtp_ready(std::string_view socket_type) {
    std::string body("\x05READY\x0bSocket-Type");
    body += big_endian(socket_type.size(), 4);
    body += socket_type;
    return std::string{kCommand, static_cast<char>(body.size())} + body;
}

std::string zmtp_frame(std::string_view body, bool more) {
    if (body.size() > 255) return zmtp_long_head(body.size(), more) + std::string(body);
    return std::string{more ? kMore : '\0', static_cast<char>(body.size())} + std::string(body);
}

std::string zmtp_long_head(unsigned long long bytes, bool more) {
    return static_cast<char>(kLong | (more ? kMore : '\0')) + big_endian(bytes, 8);
}

RawPeer::RawPeer(const std::string& address, int receive_buffer) {
    const sockaddr_in to = to_socket_address(address);
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (receive_buffer > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    int error = 0;
    socklen_t size = sizeof error;
    if (!wait_for(socket_, POLLOUT, std::chrono::seconds(15)) ||
        ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        ::close(socket_);
        throw std::runtime_error("nobody takes a connection at " + address);
    }
}

RawPeer::~RawPeer() {
    if (socket_ >= 0) ::close(socket_);
}

RawPeer::RawPeer(RawPeer&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      read_(std::move(other.read_)),
      greeted_(other.greeted_),
      ended_(other.ended_) {}

bool RawPeer::send(std::string_view bytes, std::chrono::milliseconds patience) {
    while (!bytes.empty()) {
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent > 0)
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        else if ((errno != EAGAIN && errno != EINTR) || !wait_for(socket_, POLLOUT, patience))
            return false;
    }
    return true;
}

bool RawPeer::shake(std::string_view socket_type) {
    // libzmq loses sight of what comes before it has sent its own.
    return send(zmtp_greeting() + zmtp_ready(socket_type)) && read_frame();
}

bool RawPeer::read_more(std::chrono::milliseconds patience) {
    if (!wait_for(socket_, POLLIN, patience)) return false;
    std::array<char, 65536> buffer{};
    const auto size = ::recv(socket_, buffer.data(), buffer.size(), 0);
    ended_ = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
    if (size > 0) read_.append(buffer.data(), static_cast<std::size_t>(size));
    return !ended_;
}

std::optional<std::string> RawPeer::read_frame(std::chrono::milliseconds patience) {
    for (;;) {
        if (!greeted_ && read_.size() >= kGreeting) {
            read_.erase(0, kGreeting);
            greeted_ = true;
        }
        const bool is_long = !read_.empty() && (read_[0] & kLong) != 0;
        const std::size_t head = is_long ? 9 : 2;
        if (greeted_ && read_.size() >= head) {
            std::uint64_t size = 0;
            for (std::size_t i = 1; i < head; ++i) size = size << 8 | static_cast<unsigned char>(read_[i]);
            if (read_.size() >= head + size) {
                std::string body = read_.substr(head, size);
                read_.erase(0, head + size);
                return body;
            }
        }
        if (!read_more(patience)) return std::nullopt;
    }
}

bool RawPeer::is_ended(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + hurried(patience);
    while (!ended_) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        read_more(left);
        read_.clear();
    }
    return true;
}

std::string RawPeer::read_all(std::chrono::milliseconds patience) {
    while (read_more(patience)) {
    }
    return std::exchange(read_, {});
}

std::optional<std::string> http_get(const std::string& address, const std::string& path) {
    RawPeer peer(address);
    peer.send("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n");
    const std::string answer = peer.read_all();
    const auto end_of_headers = answer.find("\r\n\r\n");
    if (end_of_headers == std::string::npos) return std::nullopt;
    return answer.substr(end_of_headers + 4);
}

}  // namespace muster::test
