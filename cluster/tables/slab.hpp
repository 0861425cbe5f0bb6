// Objects under small numbers. The number of an erased object is used again.
#pragma once

#include <cstdint>
#include <vector>

namespace muster::cluster {

/// Numbers stay dense, so they can index arrays and fit 32 bits. `create` may move all objects.
template <class T>
class Slab {
public:
    /// Creates a T{} and returns its number.
    std::uint32_t create() {
        if (free_.empty()) {
            slots_.emplace_back();
            return static_cast<std::uint32_t>(slots_.size() - 1);
        }
        const std::uint32_t number = free_.back();
        free_.pop_back();
        return number;
    }
    void erase(std::uint32_t number) {
        slots_[number] = T{};
        free_.push_back(number);
    }

    T& operator[](std::uint32_t number) { return slots_[number]; }
    const T& operator[](std::uint32_t number) const { return slots_[number]; }
    /// Every number in use is below. Under an unused number below it is a T{}.
    [[nodiscard]] std::uint32_t limit() const { return static_cast<std::uint32_t>(slots_.size()); }

private:
    std::vector<T> slots_;
    std::vector<std::uint32_t> free_;
};

}  // namespace muster::cluster
