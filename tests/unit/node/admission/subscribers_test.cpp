#include "node/admission/subscribers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

namespace muster::node {
namespace {

using Added = Subscribers::Added;
constexpr std::chrono::seconds kPatience(10);

/// A subscription as the publisher's socket returns it.
struct Subscription {
    int descriptor = -1;
    zmq::message_t message;
    std::string topic;
};

/// A publisher's socket that is listening.
class Publisher {
public:
    Publisher() {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(std::chrono::milliseconds(kPatience).count()));
        socket_.bind("tcp://127.0.0.1:*");
    }

    /// A new connection.
    zmq::socket_t connect() {
        zmq::socket_t subscriber(context_, zmq::socket_type::sub);
        subscriber.set(zmq::sockopt::linger, 0);
        subscriber.connect(socket_.get(zmq::sockopt::last_endpoint));
        return subscriber;
    }
    void* handle() { return socket_.handle(); }
    /// What a connection has subscribed to next. Passes over unsubscriptions.
    Subscription next() {
        Subscription next;
        do {
            if (!socket_.recv(next.message)) throw std::runtime_error("no subscription arrived");
            next.descriptor = ::zmq_msg_get(next.message.handle(), ZMQ_SRCFD);
            next.topic = next.message.to_string().substr(1);
        } while (next.descriptor < 0);
        return next;
    }

private:
    zmq::context_t context_;
    zmq::socket_t socket_{context_, zmq::socket_type::xpub};
};

class SubscribersTest : public testing::Test {
protected:
    /// Subscribes to topics that begin with this, and returns the subscriptions.
    std::vector<Subscription> subscribe(zmq::socket_t& subscriber, std::size_t count, const std::string& prefix) {
        std::vector<Subscription> all;
        for (std::size_t i = 0; i < count; ++i) {
            subscriber.set(zmq::sockopt::subscribe, prefix + std::to_string(i));
            all.push_back(publisher_.next());
        }
        return all;
    }
    Added add(Subscription& one) { return subscribers_.add(one.descriptor, one.message, one.topic); }
    bool remove(Subscription& one, std::string_view topic) {
        return subscribers_.remove(one.descriptor, one.message, topic);
    }

    /// Whether the publisher closes the connection: libzmq makes it anew when the subscriber's socket is used.
    bool is_closed(zmq::socket_t& subscriber) {
        zmq::pollitem_t items[] = {{subscriber.handle(), 0, ZMQ_POLLIN, 0}, {publisher_.handle(), 0, ZMQ_POLLIN, 0}};
        return zmq::poll(items, 2, kPatience) == 1 && publisher_.next().topic.starts_with("one ");
    }

    Publisher publisher_;
    Subscribers subscribers_;
};

TEST_F(SubscribersTest, ClosesAConnectionWithTooManyTopics) {
    auto one = publisher_.connect();
    auto other = publisher_.connect();
    auto topics = subscribe(one, Subscribers::kMaxTopics + 1, "one ");
    auto of_other = subscribe(other, 1, "other ");
    for (std::size_t i = 0; i < Subscribers::kMaxTopics; ++i) EXPECT_EQ(add(topics[i]), Added::added);
    EXPECT_EQ(add(topics[0]), Added::repeated);
    EXPECT_EQ(subscribers_.take_refused(), 0u);
    EXPECT_EQ(add(topics.back()), Added::refused);
    EXPECT_EQ(subscribers_.take_refused(), 1u);
    EXPECT_EQ(subscribers_.take_refused(), 0u);
    EXPECT_EQ(add(of_other[0]), Added::added);
    EXPECT_TRUE(is_closed(one)) << "which connects again and subscribes again";
}

TEST_F(SubscribersTest, UnsubscribesOnlyWhatItSubscribed) {
    auto one = publisher_.connect();
    auto other = publisher_.connect();
    auto topics = subscribe(one, 1, "one ");
    auto of_other = subscribe(other, 1, "other ");
    EXPECT_EQ(add(topics[0]), Added::added);
    EXPECT_FALSE(remove(of_other[0], "one 0"));
    EXPECT_FALSE(remove(topics[0], "one 1"));
    EXPECT_EQ(subscribers_.take_refused(), 2u);
    EXPECT_TRUE(remove(topics[0], "one 0"));
    EXPECT_FALSE(remove(topics[0], "one 0"));
    EXPECT_EQ(add(topics[0]), Added::added);
}

// What a connection sent before it was closed is read after another connection has got its descriptor.
TEST_F(SubscribersTest, AConnectionDoesNotPayForTheOneThatHadItsDescriptor) {
    std::vector<Subscription> topics;
    {
        auto one = publisher_.connect();
        topics = subscribe(one, Subscribers::kMaxTopics + 2, "one ");
        EXPECT_EQ(add(topics[0]), Added::added);
    }
    // libzmq closes the sockets of both sides in a thread of its own, so the numbers are free after a while.
    zmq::socket_t other;
    Subscription of_other;
    for (int i = 0; i < 1000 && of_other.descriptor != topics[0].descriptor; ++i) {
        other.close();
        other = publisher_.connect();
        of_other = std::move(subscribe(other, 1, std::to_string(i) + " ")[0]);
    }
    ASSERT_EQ(of_other.descriptor, topics[0].descriptor) << "descriptors are reused";

    for (std::size_t i = 1; i < topics.size(); ++i) add(topics[i]);
    EXPECT_EQ(subscribers_.take_refused(), 2u);
    EXPECT_EQ(add(of_other), Added::added);
    other.set(zmq::sockopt::subscribe, "more");
    auto more = publisher_.next();
    EXPECT_EQ(more.topic, "more") << "it is still connected: nothing is subscribed to again";
    EXPECT_EQ(add(more), Added::added);
}

}  // namespace
}  // namespace muster::node
