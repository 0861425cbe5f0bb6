// A number that also counts in a total.
#pragma once

#include <cstddef>

namespace muster::cluster {

/// Its value is in the total for as long as it exists, so that nobody needs to visit all of them to know their sum.
class Tally {
public:
    /// `total` must outlive it.
    explicit Tally(std::size_t& total) : total_(total) {}
    ~Tally() { total_ -= value_; }
    Tally(const Tally&) = delete;
    Tally& operator=(const Tally&) = delete;

    Tally& operator=(std::size_t value) {
        total_ += value - value_;
        value_ = value;
        return *this;
    }
    Tally& operator+=(std::size_t more) { return *this = value_ + more; }
    Tally& operator-=(std::size_t less) { return *this = value_ - less; }
    // NOLINTNEXTLINE(google-explicit-constructor): it is used like the number that it replaces
    operator std::size_t() const { return value_; }

private:
    std::size_t& total_;
    std::size_t value_ = 0;
};

}  // namespace muster::cluster
