// What each connection to the publisher has subscribed to: bounded, and believed only of what it did itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sys/types.h>

namespace muster::node {

/// A peer subscribes to three topics, and to two more for each incarnation that it takes. libzmq keeps whatever anyone
/// subscribes to, without end; so who wants more than kMost loses its connection, and all that it had with it.
///
/// Connections are told apart by the descriptor that libzmq names with a message. It may be another connection's by
/// the time the message is read: then that one is made anew by whoever made it.
class Subscribers {
public:
    static constexpr std::size_t kMost = 16;

    enum class Added : std::uint8_t {
        fresh,
        again,
        refused,  // and the connection is ended: libzmq will tell that the topic goes with it
    };
    Added add(int descriptor, std::string_view topic);
    /// False when it never subscribed to it.
    bool remove(int descriptor, std::string_view topic);
    /// Topics that were refused since the last call, and unsubscriptions of what was never subscribed.
    std::size_t take_refused();

private:
    struct Subscriber {
        ino_t life = 0;  // a descriptor is used again, an inode's number not soon
        std::set<std::string, std::less<>> topics;
    };
    /// That of the connection which the descriptor is now.
    Subscriber& of(int descriptor);

    std::unordered_map<int, Subscriber> all_;  // at most one a descriptor
    std::size_t refused_ = 0;
};

}  // namespace muster::node
