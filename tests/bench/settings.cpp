#include "tests/bench/settings.hpp"

#include <algorithm>

namespace muster::bench {

bool Settings::wants(const Case& one) const {
    return std::all_of(one.begin(), one.end(), [this](const auto& entry) {
        const auto [first, last] = only.equal_range(entry.first);
        if (first == last) return true;
        return std::any_of(first, last, [&](const auto& wanted) { return wanted.second == entry.second; });
    });
}

}  // namespace muster::bench
