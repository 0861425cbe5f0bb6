// Tells a process from its forks.
#pragma once

#include <pthread.h>

#include <atomic>

namespace muster::node {

/// How often the process forked to become this one, since the first call. What has threads keeps the number: if it is
/// another one later, the threads are not there, and locks may be held by them for ever.
inline unsigned forks() {
    static std::atomic<unsigned> count{0};
    static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++count; });
    static_cast<void>(registered);
    return count;
}

}  // namespace muster::node
