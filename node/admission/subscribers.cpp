#include "node/admission/subscribers.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <utility>

namespace muster::node {
namespace {

constexpr std::size_t kMaxRemembered = 4096;  // topics of one connection

/// The properties that all messages of one connection share, and nobody else's: libzmq returns a pointer to its own
/// copy.
const char* properties_of(zmq::message_t& message) {
    return ::zmq_msg_gets(message.handle(), "__fd");
}

ino_t inode_of(int descriptor) {
    struct stat now {};
    return ::fstat(descriptor, &now) == 0 ? now.st_ino : 0;
}

}  // namespace

Subscribers::Subscriber& Subscribers::subscriber_of(int descriptor, zmq::message_t& message) {
    Subscriber& one = subscribers_[descriptor];
    if (one.first.size() == 0 || properties_of(one.first) != properties_of(message)) {
        one = {{}, inode_of(descriptor), {}};
        one.first.copy(message);
    }
    return one;
}

Subscribers::Added Subscribers::add(int descriptor, zmq::message_t& message, std::string_view topic) {
    Subscriber& one = subscriber_of(descriptor, message);
    // After a refusal, libzmq still delivers what it had read from the connection. That must not grow without bound.
    if (one.topics.contains(topic) || one.topics.size() >= kMaxRemembered) return Added::repeated;
    one.topics.emplace(topic);
    if (one.topics.size() <= kMaxTopics) return Added::added;
    ++refused_;
    // libzmq then drops its subscriptions. A descriptor is reused soon, an inode number is not.
    if (one.inode == inode_of(descriptor)) ::shutdown(descriptor, SHUT_RDWR);
    return Added::refused;
}

bool Subscribers::remove(int descriptor, zmq::message_t& message, std::string_view topic) {
    Subscriber& one = subscriber_of(descriptor, message);
    const auto found = one.topics.find(topic);
    if (found == one.topics.end()) {
        ++refused_;
        return false;
    }
    one.topics.erase(found);
    return true;
}

std::size_t Subscribers::take_refused() {
    return std::exchange(refused_, 0);
}

}  // namespace muster::node
