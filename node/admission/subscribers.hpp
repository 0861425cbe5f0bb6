// Bounds what each connection may subscribe to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sys/types.h>

#include <zmq.hpp>

namespace muster::node {

/// The topics that each connection to the publisher has subscribed to. A peer needs three, and two more for each
/// further incarnation that it takes. libzmq keeps any number of subscriptions of any connection, so a connection that
/// wants more than kMaxTopics is closed, and libzmq drops its subscriptions. An unsubscription counts only if the same
/// connection had subscribed, so that no client can end the presence of another.
///
/// A message is matched to its connection by the properties that libzmq attaches to it, because its descriptor may have
/// been closed and reused by the time that the message is read.
class Subscribers {
public:
    static constexpr std::size_t kMaxTopics = 16;

    enum class Added : std::uint8_t {
        added,
        repeated,
        refused,  // the connection is closed; libzmq will report that the topic is unsubscribed
    };
    /// `message`: the subscription, which came from the connection with this descriptor.
    Added add(int descriptor, zmq::message_t& message, std::string_view topic);
    /// False if the connection that the message came from was not subscribed to the topic.
    bool remove(int descriptor, zmq::message_t& message, std::string_view topic);
    /// Subscriptions refused since the last call, and unsubscriptions of topics that were not subscribed.
    std::size_t take_refused();

private:
    struct Subscriber {
        zmq::message_t first;  // the first message: while it is held, no other connection can have the same properties
        ino_t inode = 0;       // of the socket, when the first message was read
        std::set<std::string, std::less<>> topics;
    };
    Subscriber& subscriber_of(int descriptor, zmq::message_t& message);

    std::unordered_map<int, Subscriber> subscribers_;  // by descriptor
    std::size_t refused_ = 0;
};

}  // namespace muster::node
