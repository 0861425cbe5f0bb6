// Staying awake for a moment where something may follow soon.
#pragma once

#include <sched.h>

#include <chrono>

namespace muster::node {

/// Asks `seen` again and again, for `time` at most, whether there is something; whether there was. Between two looks
/// any thread that wants the processor has it: what this takes is time in which the processor would go to sleep, and
/// to wake it takes longer than all the work for a notification.
template <class Seen>
bool busy_poll(std::chrono::microseconds time, const Seen& seen) {
    using Clock = std::chrono::steady_clock;
    for (const auto end = Clock::now() + time; Clock::now() < end; ::sched_yield())
        if (seen()) return true;
    return false;
}

}  // namespace muster::node
