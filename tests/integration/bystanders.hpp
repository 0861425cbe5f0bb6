// Healthy workers who notify each other, and how long that takes them.
#pragma once

#include <muster/worker.hpp>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace muster::test {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// The median and the 99th percentile are medians of those of all batches, so that one bad moment of the machine
/// moves none of them; the longest is of all calls.
struct Latency {
    microseconds p50{};
    microseconds p99{};
    microseconds longest{};
    std::size_t calls = 0;
};
std::string to_text(const Latency& latency);

/// A member at each given node, in a group of their own, and a worker at the first node that notifies them. A call
/// is measured from its beginning until all members have acknowledged and the caller has been told.
class Bystanders {
public:
    /// Throws when they cannot attach or join.
    explicit Bystanders(const std::vector<std::string>& nodes);

    /// One more member, of somebody else's making.
    void add(Tracker& tracker);

    /// Notifies again and again for that long. Calls that do not reach every member are GoogleTest failures.
    Latency measure(milliseconds duration);

private:
    microseconds call();

    std::vector<std::unique_ptr<Worker>> members_;
    std::unique_ptr<Worker> notifier_;
    std::size_t expected_ = 0;
};

}  // namespace muster::test
