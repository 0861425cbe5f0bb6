#pragma once

#include <string_view>

namespace muster {

/// Whether `text` is well-formed UTF-8: shortest forms only, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace muster
