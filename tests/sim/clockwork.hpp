// Virtual time: work is done in the order of (time, order of being asked for).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sim/random.hpp"

namespace muster::sim {

class Clockwork {
public:
    using Work = std::function<void()>;

    /// Since the beginning of the run.
    [[nodiscard]] Duration now() const { return now_; }

    void at(Duration when, Work work) {
        heap_.push_back({std::max(when, now_), ++asked_, std::move(work)});
        std::push_heap(heap_.begin(), heap_.end(), Later{});
    }
    void after(Duration delay, Work work) { at(now_ + delay, std::move(work)); }

    /// Does everything that is due up to `until`, then stands there.
    void run_until(Duration until) {
        while (!heap_.empty() && heap_.front().when <= until) {
            std::pop_heap(heap_.begin(), heap_.end(), Later{});
            Entry entry = std::move(heap_.back());
            heap_.pop_back();
            now_ = entry.when;
            entry.work();
        }
        now_ = std::max(now_, until);
    }

private:
    struct Entry {
        Duration when;
        std::uint64_t order;
        Work work;
    };
    struct Later {
        bool operator()(const Entry& a, const Entry& b) const {
            return std::tie(a.when, a.order) > std::tie(b.when, b.order);
        }
    };

    Duration now_{0};
    std::uint64_t asked_ = 0;
    std::vector<Entry> heap_;
};

}  // namespace muster::sim
