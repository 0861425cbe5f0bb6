// Encodes and decodes messages. PROTOCOL.md, sections "Messages" and "Evolution".
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/messages.hpp"

namespace muster::proto {

/// Why a frame was dropped; each reason has its own counter.
enum class DecodeError : unsigned char {
    too_large,       // longer than limits::kFrame
    malformed,       // not msgpack, cut short, nested too deeply, or with a list too long
    trailing_bytes,  // bytes after the message
    wrong_major,     // another major version; only the first element is understood
    unknown_type,    // a message of a newer minor version; ignore it
    bad_field,       // a field of the wrong type, beyond its limit, or with an unknown value
};
inline constexpr std::size_t kDecodeErrors = 6;

std::string_view to_string(DecodeError error);

class Reader;

/// The notices of a bundle: its deliveries name them by their places. PROTOCOL.md, "Bundles".
class NoticeTable {
public:
    // Encoding.
    /// The place of this notice, which is new if it was not asked for before.
    std::uint64_t place_of(const SharedNotice& notice);
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    void encode(std::string& out) const;
    void clear();

    // Decoding.
    bool decode(Reader& reader);
    [[nodiscard]] const SharedNotice* find(std::uint64_t place) const {
        return place < notices_.size() ? &notices_[static_cast<std::size_t>(place)] : nullptr;
    }

private:
    std::vector<SharedNotice> notices_;  // kept, so that no other notice gets the address of one
    std::unordered_map<const Notice*, std::uint64_t> places_;
    std::size_t next_ = 0;  // sessions mostly get the same notices in the same order
    std::size_t bytes_ = 0;
};

/// Appends the frame to `out`, which the caller clears and reuses.
/// The message must respect limits.hpp; the callers' own limits ensure it. `notices`: of the bundle that it is for.
void encode(const Message& message, std::string& out);
void encode(const Message& message, std::string& out, NoticeTable& notices);
std::string encode(const Message& message);

/// A message, or why the frame was dropped.
using Decoded = Result<Message, DecodeError>;

/// Allocates no more memory than the frame's own size justifies.
/// `notices`: of the bundle that it is from.
Decoded decode(std::string_view frame);
Decoded decode(std::string_view frame, const NoticeTable& notices);

/// Returns the major version of a frame, even if it is another one; nullopt if the frame has none.
std::optional<std::uint64_t> major_of(std::string_view frame);

/// Whether `bytes` are exactly one msgpack value within the limits for data.
bool is_valid_data(std::string_view bytes);

}  // namespace muster::proto
