#include "node/admission/subscribers.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <utility>

namespace muster::node {
namespace {

constexpr std::size_t kRemembered = 4096;

}  // namespace

Subscribers::Subscriber& Subscribers::of(int descriptor) {
    Subscriber& one = all_[descriptor];
    struct stat now {};
    if (::fstat(descriptor, &now) != 0) now.st_ino = 0;
    if (one.life != now.st_ino) one = {now.st_ino, {}};
    return one;
}

Subscribers::Added Subscribers::add(int descriptor, std::string_view topic) {
    Subscriber& one = of(descriptor);
    // What it still sends after it was refused: as much as libzmq had read of it.
    if (one.topics.contains(topic) || one.topics.size() >= kRemembered) return Added::again;
    one.topics.emplace(topic);
    if (one.topics.size() <= kMost) return Added::fresh;
    ++refused_;
    ::shutdown(descriptor, SHUT_RDWR);  // libzmq finds its end, and forgets what it wanted
    return Added::refused;
}

bool Subscribers::remove(int descriptor, std::string_view topic) {
    Subscriber& one = of(descriptor);
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
