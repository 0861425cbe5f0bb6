// What was meant by a name that nobody knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::daemon {

/// The known name that is nearest to `typed`, whatever its case, '-' or '_': as far as so few letters have to be
/// added, taken away, replaced or swapped with a neighbour that it was probably meant. The first of several.
std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& known);

}  // namespace muster::daemon
