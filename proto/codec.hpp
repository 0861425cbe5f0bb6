// Messages to bytes and back. The one place that knows msgpack.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/messages.hpp"

namespace muster::proto {

/// Why a frame was dropped; each is a counter of its own.
enum class DecodeError : unsigned char {
    too_large,       // longer than limits::kFrame
    malformed,       // not msgpack, cut short, nested too deeply, or with a list too long
    trailing_bytes,  // something follows the message
    wrong_major,     // another major version: nothing behind the first element is understood
    unknown_type,    // a message of a newer minor: to be ignored
    bad_field,       // a field of the wrong type, beyond its limit, or without meaning
};
inline constexpr std::size_t kDecodeErrors = 6;

std::string_view to_string(DecodeError error);

/// Appends the frame to `out`, which the caller clears and reuses.
/// The message must respect limits.hpp; the callers' own limits see to that.
void encode(const Message& message, std::string& out);
std::string encode(const Message& message);

/// A message, or why the frame was dropped.
using Decoded = Result<Message, DecodeError>;

/// Allocates no more memory than the frame's own size justifies.
Decoded decode(std::string_view frame);

/// The major version that a frame says it is of, our own or another; nothing when it says none.
std::optional<std::uint64_t> major_of(std::string_view frame);

/// Whether `bytes` are exactly one msgpack value within the limits for data.
bool is_valid_data(std::string_view bytes);

}  // namespace muster::proto
