// Polls without sleeping for a short time.
#pragma once

#include <sched.h>

#include <chrono>

namespace muster::node {

/// Calls `seen` until it returns true, for at most `time`. Returns whether it did.
///
/// A notification and its report pass through ten threads, and on an idle machine it takes longer to wake a CPU than to
/// process the notification. sched_yield() after each call lets any other thread that is ready run first, so this uses
/// only CPU time that is otherwise idle. It does not stop when another thread ran: on two CPUs that took away the gain.
template <class Seen>
bool busy_poll(std::chrono::microseconds time, const Seen& seen) {
    using Clock = std::chrono::steady_clock;
    for (const auto end = Clock::now() + time; Clock::now() < end; ::sched_yield())
        if (seen()) return true;
    return false;
}

}  // namespace muster::node
