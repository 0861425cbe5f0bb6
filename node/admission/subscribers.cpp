#include "node/admission/subscribers.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <utility>

namespace muster::node {
namespace {

constexpr std::size_t kMaxRemembered = 4096;  // topics of one connection

}  // namespace

Subscribers::Subscriber& Subscribers::subscriber_at(int descriptor) {
    Subscriber& one = subscribers_[descriptor];
    struct stat now {};
    if (::fstat(descriptor, &now) != 0) now.st_ino = 0;
    if (one.inode != now.st_ino) one = {now.st_ino, {}};
    return one;
}

Subscribers::Added Subscribers::add(int descriptor, std::string_view topic) {
    Subscriber& one = subscriber_at(descriptor);
    // After a refusal, libzmq still delivers what it had read from the connection. That must not grow without bound.
    if (one.topics.contains(topic) || one.topics.size() >= kMaxRemembered) return Added::repeated;
    one.topics.emplace(topic);
    if (one.topics.size() <= kMaxTopics) return Added::added;
    ++refused_;
    ::shutdown(descriptor, SHUT_RDWR);  // libzmq then drops its subscriptions
    return Added::refused;
}

bool Subscribers::remove(int descriptor, std::string_view topic) {
    Subscriber& one = subscriber_at(descriptor);
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
