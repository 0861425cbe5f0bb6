#include "node/daemon/nearest.hpp"

#include <algorithm>

namespace muster::daemon {
namespace {

constexpr std::size_t kLongest = 64;  // longer input cannot be a misspelt name

std::string folded(std::string_view text) {
    std::string plain;
    for (const char c : text) plain += c == '-' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return plain;
}

/// Edit distance (optimal string alignment): insert, delete, replace, or swap two neighbours.
std::size_t distance(const std::string& a, const std::string& b) {
    std::vector<std::vector<std::size_t>> steps(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            auto& least = steps[i][j] = std::max(i, j);
            if (i == 0 || j == 0) continue;
            least = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1, steps[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                least = std::min(least, steps[i - 2][j - 2] + 1);
        }
    }
    return steps[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& known) {
    if (typed.empty() || typed.size() > kLongest) return std::nullopt;
    const std::string wanted = folded(typed);
    std::optional<std::string> found;
    std::size_t least = std::max<std::size_t>(1, wanted.size() / 3) + 1;
    for (const auto& name : known) {
        const auto steps = distance(wanted, folded(name));
        if (steps >= least) continue;
        least = steps;
        found = name;
    }
    return found;
}

}  // namespace muster::daemon
