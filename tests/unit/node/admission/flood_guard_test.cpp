// Tests that FloodGuard closes flooding connections. Uses plain sockets, so that the speed of libzmq does not matter.
#include "node/admission/flood_guard.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace muster::node {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// A port of this process, and one connection to it.
class Connected {
public:
    Connected() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const at = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_, at, size), 0);
        EXPECT_EQ(::listen(listener_, 1), 0);
        EXPECT_EQ(::getsockname(listener_, at, &size), 0);
        EXPECT_EQ(::connect(sender_, at, size), 0);
        accepted_ = ::accept(listener_, nullptr, nullptr);
        port_ = ntohs(address.sin_port);
    }
    ~Connected() {
        for (const int one : {listener_, sender_, accepted_}) ::close(one);
    }
    Connected(const Connected&) = delete;
    Connected& operator=(const Connected&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Sends and receives so many bytes every 5 ms, for `time`. False if the connection was closed meanwhile.
    bool goes_on(std::size_t bytes, milliseconds time) const {
        std::string buffer(bytes, 'x');
        for (const auto until = Clock::now() + time; Clock::now() < until;
             std::this_thread::sleep_for(milliseconds(5))) {
            if (::send(sender_, buffer.data(), bytes, MSG_NOSIGNAL) < 0) return false;
            if (::recv(accepted_, buffer.data(), bytes, 0) == 0) return false;
        }
        return true;
    }

private:
    int listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    int sender_ = ::socket(AF_INET, SOCK_STREAM, 0);
    int accepted_ = -1;
    std::uint16_t port_ = 0;
};

milliseconds is_blocked() {
    return milliseconds(1000);
}
milliseconds runs() {
    return milliseconds(0);
}

TEST(FloodGuard, ClosesAConnectionThatKeepsSendingWhileTheLoopIsBlocked) {
    const Connected connected;
    ConnectionCounts counts;
    const FloodGuard guard(is_blocked, connected.port(), counts);
    EXPECT_FALSE(connected.goes_on(32 << 10, milliseconds(10'000)));
    EXPECT_GE(counts.flooding, 1u);
}

TEST(FloodGuard, DoesNothingWhileTheLoopRuns) {
    const Connected connected;
    ConnectionCounts counts;
    const FloodGuard guard(runs, connected.port(), counts);
    EXPECT_TRUE(connected.goes_on(32 << 10, milliseconds(300)));
    EXPECT_EQ(counts.flooding, 0u);
}

TEST(FloodGuard, LeavesConnectionsToOtherPortsAlone) {
    const Connected connected;
    const Connected other;
    ConnectionCounts counts;
    const FloodGuard guard(is_blocked, other.port(), counts);
    EXPECT_TRUE(connected.goes_on(32 << 10, milliseconds(300)));
    EXPECT_EQ(counts.flooding, 0u);
}

TEST(FloodGuard, LeavesAConnectionThatSendsLittleAlone) {
    const Connected connected;
    ConnectionCounts counts;
    const FloodGuard guard(is_blocked, connected.port(), counts);
    EXPECT_TRUE(connected.goes_on(16, milliseconds(300)));
    EXPECT_EQ(counts.flooding, 0u);
}

}  // namespace
}  // namespace muster::node
