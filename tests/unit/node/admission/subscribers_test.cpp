#include "node/admission/subscribers.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace muster::node {
namespace {

using Added = Subscribers::Added;

/// Both ends of a connection.
struct Ends {
    Ends() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, both.data()), 0); }
    ~Ends() {
        for (const int end : both) ::close(end);
    }
    /// Whether the other end has been shut down.
    [[nodiscard]] bool is_ended() const {
        char byte = 0;
        return ::recv(both[1], &byte, 1, MSG_DONTWAIT) == 0;
    }
    std::array<int, 2> both{};
};

TEST(Subscribers, ClosesAConnectionWithTooManyTopics) {
    const Ends ends;
    const Ends other;
    Subscribers subscribers;
    for (std::size_t i = 0; i < Subscribers::kMaxTopics; ++i)
        EXPECT_EQ(subscribers.add(ends.both[0], std::to_string(i)), Added::added);
    EXPECT_EQ(subscribers.add(ends.both[0], "0"), Added::repeated);
    EXPECT_FALSE(ends.is_ended());
    EXPECT_EQ(subscribers.take_refused(), 0u);
    EXPECT_EQ(subscribers.add(ends.both[0], "one more"), Added::refused);
    EXPECT_TRUE(ends.is_ended());
    EXPECT_EQ(subscribers.take_refused(), 1u);
    EXPECT_EQ(subscribers.take_refused(), 0u);
    EXPECT_EQ(subscribers.add(other.both[0], "one more"), Added::added);
    EXPECT_FALSE(other.is_ended());
}

TEST(Subscribers, UnsubscribesOnlyWhatItSubscribed) {
    const Ends ends;
    const Ends other;
    Subscribers subscribers;
    EXPECT_EQ(subscribers.add(ends.both[0], "a"), Added::added);
    EXPECT_FALSE(subscribers.remove(other.both[0], "a"));
    EXPECT_FALSE(subscribers.remove(ends.both[0], "b"));
    EXPECT_EQ(subscribers.take_refused(), 2u);
    EXPECT_TRUE(subscribers.remove(ends.both[0], "a"));
    EXPECT_FALSE(subscribers.remove(ends.both[0], "a"));
    EXPECT_EQ(subscribers.add(ends.both[0], "a"), Added::added);
}

TEST(Subscribers, AReusedDescriptorIsAnotherConnection) {
    Subscribers subscribers;
    int descriptor = -1;
    {
        const Ends ends;
        descriptor = ends.both[0];
        for (std::size_t i = 0; i < Subscribers::kMaxTopics; ++i) subscribers.add(descriptor, std::to_string(i));
    }
    const Ends ends;
    ASSERT_EQ(ends.both[0], descriptor) << "the lowest that is free";
    EXPECT_EQ(subscribers.add(descriptor, "0"), Added::added);
    EXPECT_FALSE(ends.is_ended());
}

}  // namespace
}  // namespace muster::node
