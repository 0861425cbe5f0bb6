#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster {

/// Whether `text` is well-formed UTF-8: shortest forms only, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text);

/// The longest prefix of at most `limit` bytes that does not cut a character of well-formed `text`.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

/// `text` with '?' for every control character: what others have named may neither begin a line of a log nor steer a
/// terminal.
std::string printable(std::string_view text);

}  // namespace muster
