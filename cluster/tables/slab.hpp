// Things by a small number that is theirs while they stand, and used again afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::cluster {

template <class T>
class Slab {
public:
    /// A free number; what stands under it is a T{}.
    std::uint32_t create() {
        if (free_.empty()) {
            slots_.emplace_back();
            return static_cast<std::uint32_t>(slots_.size() - 1);
        }
        const std::uint32_t at = free_.back();
        free_.pop_back();
        return at;
    }
    void erase(std::uint32_t at) {
        slots_[at] = T{};
        free_.push_back(at);
    }

    T& operator[](std::uint32_t at) { return slots_[at]; }
    const T& operator[](std::uint32_t at) const { return slots_[at]; }
    /// All numbers in use are below.
    [[nodiscard]] std::uint32_t limit() const { return static_cast<std::uint32_t>(slots_.size()); }
    [[nodiscard]] std::size_t size() const { return slots_.size() - free_.size(); }

private:
    std::vector<T> slots_;
    std::vector<std::uint32_t> free_;
};

}  // namespace muster::cluster
