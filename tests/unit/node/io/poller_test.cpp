#include "node/io/poller.hpp"

#include <gtest/gtest.h>

#include <string>

#include "node/io/zmq_io.hpp"

namespace muster::node {
namespace {

using std::chrono::milliseconds;

struct Ends {
    Ends() {
        receiver.bind("inproc://ends");
        sender.connect("inproc://ends");
        poller.add(receiver);
    }
    bool receives() { return receive(receiver, parts); }

    zmq::context_t context;
    Socket receiver{context, zmq::socket_type::pair};
    Socket sender{context, zmq::socket_type::pair};
    Poller poller;
    Parts parts;
};

TEST(Poller, AnEmptySocketIsNotAskedAgainBeforeItIsSignalled) {
    Ends ends;
    ends.poller.wait(milliseconds(0));
    EXPECT_FALSE(ends.receives());
    EXPECT_FALSE(ends.receiver.may_have_input);
    send(ends.sender, "1");
    EXPECT_FALSE(ends.receives()) << "nobody has told it";
    EXPECT_TRUE(ends.poller.wait(milliseconds(1000)));
    EXPECT_TRUE(ends.receives());
    EXPECT_FALSE(ends.receives());
    EXPECT_FALSE(ends.poller.wait(milliseconds(1)));
}

/// A call that sends takes the signal of what has arrived meanwhile.
TEST(Poller, WhatArrivesWhileASocketIsUsedIsFound) {
    Ends ends;
    for (int i = 0; i < 1000; ++i) {
        send(ends.sender, std::to_string(i));
        send(ends.receiver, "an answer");
        ASSERT_TRUE(ends.poller.wait(milliseconds(1000))) << i;
        ASSERT_TRUE(ends.receives()) << i;
        EXPECT_EQ(text_of(ends.parts.first), std::to_string(i));
        while (ends.receives()) {
        }
        ends.sender.may_have_input = true;
        ASSERT_TRUE(receive(ends.sender, ends.parts));
    }
}

/// What a turn had no time for is found in the next one, though no further signal comes.
TEST(Poller, WhatIsLeftIsFoundAgain) {
    Ends ends;
    for (int i = 0; i < 100; ++i) send(ends.sender, "x");
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(ends.poller.wait(milliseconds(1000))) << i;
        ASSERT_TRUE(ends.receives()) << i;
    }
    EXPECT_FALSE(ends.receives());
}

}  // namespace
}  // namespace muster::node
