// Whoever has a session's token has the session, so one worker's token must say nothing of another's.
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "cluster/base/random.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"
#include "tests/unit/node/nodes.hpp"

namespace muster::node {
namespace {

constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;  // of the core's generator from one state to the next

/// The token of a new session.
std::uint64_t attach(const std::string& address, const std::string& name) {
    zmq::context_t context;
    Socket socket(context, zmq::socket_type::dealer);
    set_common_options(socket);
    connect(socket, address);
    node::send(socket, proto::encode({{"tokens", name, 0, 0}, proto::WorkerHello{}}));
    zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
    zmq::message_t frame;
    const auto end = std::chrono::steady_clock::now() + test::kLong;
    while (std::chrono::steady_clock::now() < end) {
        zmq::poll(&item, 1, std::chrono::milliseconds(100));
        if (!receive(socket, frame)) continue;
        auto message = proto::decode(text_of(frame));
        if (!message) continue;
        if (const auto* welcome = std::get_if<proto::WorkerWelcome>(&message->body)) return welcome->token.value;
    }
    return 0;
}

std::uint64_t unshift(std::uint64_t x, unsigned by) {
    std::uint64_t y = x;
    for (unsigned i = 0; i < 64 / by; ++i) y = x ^ (y >> by);
    return y;
}

std::uint64_t inverse_of(std::uint64_t odd) {
    std::uint64_t inverse = odd;
    for (int i = 0; i < 6; ++i) inverse *= 2 - odd * inverse;
    return inverse;
}

/// The state of the generator before it returned `number`: the inverse of mix64.
std::uint64_t state_before(std::uint64_t number) {
    std::uint64_t x = unshift(number, 31) * inverse_of(0x94d049bb133111ebu);
    x = unshift(x, 27) * inverse_of(0xbf58476d1ce4e5b9u);
    return unshift(x, 30) - kStep;
}

/// Whether `next` is one of the numbers that a core's generator draws near `known`.
bool follows_from(std::uint64_t known, std::uint64_t next) {
    for (const std::uint64_t number : {known, known ^ 1}) {
        const std::uint64_t state = state_before(number);
        for (std::uint64_t i = 0; i < 4000; ++i) {
            for (const std::uint64_t other : {state + i * kStep, state - i * kStep})
                if ((cluster::mix64(other) | 1) == (next | 1)) return true;
        }
    }
    return false;
}

TEST(SessionTokens, CannotBeComputedFromAnother) {
    cluster::Random random(99);
    const std::uint64_t known = random.next() | 1;
    for (int i = 0; i < 10; ++i) random.next();
    ASSERT_TRUE(follows_from(known, random.next() | 1)) << "this test would notice nothing";

    const auto node = test::start(test::options("a", {}, "tokens"));
    const auto first = attach(node->address(), "w1");
    std::set<std::uint64_t> tokens{first};
    for (int i = 2; i < 10; ++i) {
        const auto token = attach(node->address(), "w" + std::to_string(i));
        ASSERT_NE(token, 0u);
        EXPECT_TRUE(tokens.insert(token).second);
        EXPECT_FALSE(follows_from(first, token));
    }
}

}  // namespace
}  // namespace muster::node
