// Suggests a known name for a misspelt one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::daemon {

/// The known name with the smallest edit distance to `typed`, if at most a third of the letters differ. Ignores case,
/// and the difference between '-' and '_'. The first of several.
std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& known);

}  // namespace muster::daemon
