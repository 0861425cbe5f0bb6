// That the proxy forwards exactly, and that its faults are what they are called.
#include "tests/integration/flaky_proxy.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "tests/integration/process.hpp"

namespace muster::test {
namespace {

using std::chrono::steady_clock;

std::string pattern(std::size_t size) {
    std::mt19937_64 random(7);
    std::string bytes(size, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    return bytes;
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// A connected socket.
struct End {
    explicit End(int f) : fd(f) {}
    End(End&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
    ~End() {
        if (fd >= 0) ::close(fd);
    }
    [[nodiscard]] bool readable(milliseconds timeout) const {
        pollfd poll{fd, POLLIN, 0};
        return ::poll(&poll, 1, static_cast<int>(timeout.count())) == 1;
    }
    /// Everything until the other side ends, or an error, which is left in `error`.
    std::string read_all(int& error) const {
        std::string all;
        std::vector<char> buffer(1 << 16);
        while (readable(kPatience)) {
            const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
            error = size < 0 ? errno : 0;
            if (size <= 0) return all;
            all.append(buffer.data(), static_cast<std::size_t>(size));
        }
        error = ETIMEDOUT;
        return all;
    }
    void write_all(const std::string& bytes) const {
        for (std::size_t at = 0; at < bytes.size();) {
            const auto size = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
            if (size < 0) return;
            at += static_cast<std::size_t>(size);
        }
    }
    void end_writing() const { ::shutdown(fd, SHUT_WR); }
    int fd;
};

struct FlakyProxyTest : testing::Test {
    FlakyProxyTest() {
        listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(port);
        EXPECT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener, 16), 0);
    }
    ~FlakyProxyTest() override { ::close(listener); }

    [[nodiscard]] End connect() const {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(proxied);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return End(fd);
    }
    [[nodiscard]] End accept() const { return End(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)); }

    std::uint16_t port = free_port();
    std::uint16_t proxied = free_port();
    int listener = -1;
    FlakyProxy proxy{{{"127.0.0.1:" + std::to_string(proxied), "127.0.0.1:" + std::to_string(port)}}, 1};
};

TEST_F(FlakyProxyTest, ForwardsBothDirectionsExactlyAndTheEnds) {
    const auto client = connect();
    const auto server = accept();
    const auto up = pattern(5'000'000);
    const auto down = pattern(3'000'001);
    std::thread writer([&] {
        client.write_all(up);
        client.end_writing();
    });
    std::thread answerer([&] {
        server.write_all(down);
        server.end_writing();
    });
    int error = 0;
    std::string answer;
    std::thread reader([&] {
        int client_error = 0;
        answer = client.read_all(client_error);
        EXPECT_EQ(client_error, 0);
    });
    EXPECT_TRUE(server.read_all(error) == up);
    EXPECT_EQ(error, 0);
    for (auto* thread : {&writer, &answerer, &reader}) thread->join();
    EXPECT_TRUE(answer == down);
    EXPECT_EQ(proxy.counts().bytes, up.size() + down.size());
}

TEST_F(FlakyProxyTest, AResetIsSeenAsOneAtBothEnds) {
    const auto client = connect();
    const auto server = accept();
    client.write_all("x");
    ASSERT_TRUE(server.readable(kPatience));
    EXPECT_EQ(proxy.reset_all(), 1u);
    int error = 0;
    (void)client.read_all(error);
    EXPECT_EQ(error, ECONNRESET);
    (void)server.read_all(error);
    EXPECT_EQ(error, ECONNRESET);
    EXPECT_EQ(proxy.counts().resets, 1u);
}

TEST_F(FlakyProxyTest, AConnectionToNobodyIsReset) {
    ::close(std::exchange(listener, -1));
    const auto client = connect();
    int error = 0;
    EXPECT_EQ(client.read_all(error), "");
    EXPECT_EQ(error, ECONNRESET);
}

TEST_F(FlakyProxyTest, AStallHoldsEverythingBackAndLosesNothing) {
    const auto client = connect();
    const auto server = accept();
    client.write_all("before ");
    ASSERT_TRUE(server.readable(kPatience));
    std::array<char, 16> buffer{};
    EXPECT_EQ(::recv(server.fd, buffer.data(), buffer.size(), 0), 7);
    proxy.stall();
    client.write_all("after");
    EXPECT_FALSE(server.readable(milliseconds(200)));
    const auto late = connect();
    late.write_all("late");
    const auto late_server = accept();
    EXPECT_FALSE(late_server.readable(milliseconds(50)));
    proxy.go_on();
    client.end_writing();
    late.end_writing();
    int error = 0;
    EXPECT_EQ(server.read_all(error), "after");
    EXPECT_EQ(late_server.read_all(error), "late");
}

TEST_F(FlakyProxyTest, WhatOneSideDoesNotTakeIsNotReadFromTheOther) {
    const auto client = connect();
    const auto server = accept();
    const auto block = pattern(1 << 20);
    std::size_t taken = 0;
    pollfd poll{client.fd, POLLOUT, 0};
    while (taken < (256u << 20) && ::poll(&poll, 1, 500) == 1) {
        const auto size = ::send(client.fd, block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0) taken += static_cast<std::size_t>(size);
    }
    EXPECT_LT(taken, 64u << 20);  // four buffers of the kernel, and the proxy's
}

TEST_F(FlakyProxyTest, StallsAndDelaysChangeNoByte) {
    proxy.begin_faults({.every = milliseconds(5), .resets = 0, .stalls = 1, .long_stalls = 0, .delays = 4});
    const auto client = connect();
    const auto server = accept();
    const auto bytes = pattern(8'000'000);
    std::thread writer([&] {
        client.write_all(bytes);
        client.end_writing();
    });
    std::thread healer([&] {
        const auto until = steady_clock::now() + kPatience;
        while (steady_clock::now() < until && (proxy.counts().stalls < 3 || proxy.counts().delays < 3))
            std::this_thread::sleep_for(milliseconds(1));
        proxy.end_faults();
    });
    int error = 0;
    EXPECT_TRUE(server.read_all(error) == bytes);
    EXPECT_EQ(error, 0);
    writer.join();
    healer.join();
    EXPECT_GE(proxy.counts().stalls, 3u);
    EXPECT_GE(proxy.counts().delays, 3u);
}

TEST_F(FlakyProxyTest, WhatArrivesBeforeAResetIsABeginningOfWhatWasSent) {
    const auto bytes = pattern(4'000'000);
    proxy.begin_faults({.every = milliseconds(2), .resets = 1, .stalls = 0, .long_stalls = 0, .delays = 0});
    int resets = 0;
    for (int i = 0; i < 20; ++i) {
        const auto client = connect();
        const auto server = accept();
        std::thread writer([&] {
            client.write_all(bytes);
            client.end_writing();
        });
        int error = 0;
        const auto got = server.read_all(error);
        writer.join();
        EXPECT_EQ(bytes.compare(0, got.size(), got), 0);
        EXPECT_TRUE(error == ECONNRESET || (error == 0 && got.size() == bytes.size())) << error;
        resets += error == ECONNRESET ? 1 : 0;
    }
    EXPECT_GT(resets, 0);
}

}  // namespace
}  // namespace muster::test
