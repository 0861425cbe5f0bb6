// What the tests of real sockets and threads share.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

namespace muster::test {

/// Long enough for a loaded machine. Tests that pass never wait so long.
inline constexpr std::chrono::seconds kLong{20};

/// Values that threads add and a test waits for.
template <class T>
class Seen {
public:
    void add(T item) {
        const std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
        changed_.notify_all();
    }
    /// Waits until `enough` accepts the values, or kLong has passed. Returns the values.
    std::vector<T> wait(const std::function<bool(const std::vector<T>&)>& enough) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, kLong, [&] { return enough(items_); });
        return items_;
    }
    std::vector<T> wait_for(std::size_t count) {
        return wait([&](const std::vector<T>& items) { return items.size() >= count; });
    }
    std::vector<T> now() {
        const std::lock_guard lock(mutex_);
        return items_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<T> items_;
};

}  // namespace muster::test
