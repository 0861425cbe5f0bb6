// Checking and shortening text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster {

/// Whether `text` is well-formed UTF-8: shortest forms only, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text);

/// Returns the longest prefix of well-formed `text` with at most `limit` bytes that does not cut a character.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

/// Replaces every control character with '?', so that names chosen by others can neither start a log line, nor control
/// a terminal, nor change the order in which a text is shown.
std::string printable(std::string_view text);
/// The same for a line of JSON, but escapes them, as JSON allows: it still has the same values.
std::string printable_json(std::string_view json);

}  // namespace muster
