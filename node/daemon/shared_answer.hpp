// One answer for all who ask at the same time.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace muster::daemon {

/// Makes an answer once for all callers that wait for it, so that its cost does not grow with their number. Each caller
/// gets an answer that was begun after its call. Between two answers there is a rest of kRestFactor times the time that
/// the first one took: all callers together use at most a tenth of one thread. A caller that comes alone does not wait.
/// Any thread.
template <class T>
class SharedAnswer {
public:
    static constexpr int kRestFactor = 10;
    static constexpr auto kLongestRest = std::chrono::milliseconds(500);

    /// `make` runs on the thread of one of the callers.
    explicit SharedAnswer(std::function<T()> make) : make_(std::move(make)) {}

    /// Throws what `make` throws.
    std::shared_ptr<const T> get() {
        std::unique_lock lock(mutex_);
        for (const std::uint64_t wanted = begun_ + 1; made_ < wanted;) {
            if (std::exchange(is_making_, true))
                changed_.wait(lock, [this] { return !is_making_; });
            else
                make(lock);
        }
        return answer_;
    }

private:
    using Clock = std::chrono::steady_clock;

    void make(std::unique_lock<std::mutex>& lock) {
        // Callers that come during the rest share the answer that follows it.
        while (Clock::now() < rests_until_) resting_.wait_until(lock, rests_until_);
        const std::uint64_t number = ++begun_;
        lock.unlock();
        const auto begin = Clock::now();
        std::shared_ptr<const T> made;
        try {
            made = std::make_shared<const T>(make_());
        } catch (...) {
            lock.lock();
            is_making_ = false;
            changed_.notify_all();
            throw;
        }
        const auto end = Clock::now();
        lock.lock();
        rests_until_ = end + std::min<Clock::duration>(kRestFactor * (end - begin), kLongestRest);
        answer_ = std::move(made);
        made_ = number;
        is_making_ = false;
        changed_.notify_all();
    }

    const std::function<T()> make_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::condition_variable resting_;  // never notified
    std::uint64_t begun_ = 0;          // number of the last answer that was begun
    std::uint64_t made_ = 0;           // number of `answer_`
    bool is_making_ = false;
    Clock::time_point rests_until_{};
    std::shared_ptr<const T> answer_;
};

}  // namespace muster::daemon
