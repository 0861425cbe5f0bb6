// Bounds what each connection may subscribe to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sys/types.h>

namespace muster::node {

/// The topics that each connection to the publisher has subscribed to. A peer needs three, and two more for each
/// further incarnation that it takes. libzmq keeps any number of subscriptions of any connection, so a connection that
/// wants more than kMaxTopics is closed, and libzmq drops its subscriptions. An unsubscription counts only if the same
/// connection had subscribed, so that no client can end the presence of another.
///
/// A connection is identified by the descriptor that libzmq attaches to a message. When the message is read, that
/// descriptor may have been closed and reused for another connection. Then that connection is closed by mistake, and
/// the side that made it connects again.
class Subscribers {
public:
    static constexpr std::size_t kMaxTopics = 16;

    enum class Added : std::uint8_t {
        added,
        repeated,
        refused,  // the connection is closed; libzmq will report that the topic is unsubscribed
    };
    Added add(int descriptor, std::string_view topic);
    /// False if the connection was not subscribed to the topic.
    bool remove(int descriptor, std::string_view topic);
    /// Subscriptions refused since the last call, and unsubscriptions of topics that were not subscribed.
    std::size_t take_refused();

private:
    struct Subscriber {
        ino_t inode = 0;  // of the socket: a descriptor is reused soon, an inode number is not
        std::set<std::string, std::less<>> topics;
    };
    /// The subscriber of the connection that has the descriptor now.
    Subscriber& subscriber_at(int descriptor);

    std::unordered_map<int, Subscriber> subscribers_;  // by descriptor
    std::size_t refused_ = 0;
};

}  // namespace muster::node
