#include "node/io/port_probe.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

/// A port of this host on which something listens until close().
class Port {
public:
    Port() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const at = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(socket_, at, size), 0);
        EXPECT_EQ(::listen(socket_, 1), 0);
        EXPECT_EQ(::getsockname(socket_, at, &size), 0);
        number_ = ntohs(address.sin_port);
    }
    ~Port() { close(); }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    void close() {
        if (socket_ >= 0) ::close(socket_);
        socket_ = -1;
    }
    [[nodiscard]] Address address() const { return {"127.0.0.1", number_}; }

private:
    int socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    std::uint16_t number_ = 0;
};

PortProbe::State end_of(PortProbe& probe) {
    const auto until = std::chrono::steady_clock::now() + test::kLong;
    while (probe.state() == PortProbe::State::connecting && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    return probe.state();
}

TEST(PortProbe, IsRefusedWhereNothingListens) {
    Port port;
    port.close();
    PortProbe probe(port.address());
    EXPECT_GE(probe.fd(), 0);
    EXPECT_EQ(end_of(probe), PortProbe::State::refused);
    EXPECT_EQ(probe.state(), PortProbe::State::refused) << "it stays so";
}

TEST(PortProbe, IsConnectedWhereSomethingListens) {
    const Port port;
    PortProbe probe(port.address());
    EXPECT_EQ(end_of(probe), PortProbe::State::connected);
}

TEST(PortProbe, ANameIsNotLookedUp) {
    PortProbe probe({"localhost", 1});
    EXPECT_LT(probe.fd(), 0);
    EXPECT_EQ(probe.state(), PortProbe::State::failed);
}

TEST(PortProbe, KeepsItsStateWhenItMoves) {
    Port port;
    port.close();
    PortProbe probe(port.address());
    PortProbe moved(std::move(probe));
    probe = std::move(moved);
    EXPECT_EQ(end_of(probe), PortProbe::State::refused);
}

}  // namespace
}  // namespace muster::node
