// Reads msgpack values in order, directly from a frame.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::proto {

/// Each call reads the next value. It returns false if the value has another type or is
/// truncated; the position is then undefined. Allocates nothing. Building and walking a
/// tree of msgpack-c objects took twice as long.
class Reader {
public:
    explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

    bool unsigned_integer(std::uint64_t& value);
    bool boolean(bool& value);
    /// Does not check for UTF-8. `text` points into the frame.
    bool string(std::string_view& text);
    bool binary(std::string_view& bytes);
    /// Reads only the head; the elements follow.
    bool array(std::uint32_t& count);
    /// Reads only the head; the pairs follow, each a key and a value.
    bool map(std::uint32_t& count);
    /// Skips any value that nests at most `max_depth` deep, with at most `max_items` in each list or map.
    bool skip(std::size_t max_depth, std::size_t max_items);
    [[nodiscard]] bool at_end() const { return at_ == end_; }
    /// Number of unread bytes.
    [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

private:
    static constexpr std::size_t kDeepest = 64;

    /// A big-endian number of N bytes.
    template <std::size_t N>
    bool number(std::uint64_t& value);
    bool take(std::uint64_t size, std::string_view& bytes);
    /// The head of a list or map: one byte `fixed` | count if it is short, otherwise `wide` and 2 bytes, or `wide` + 1
    /// and 4 bytes.
    bool list(unsigned char fixed, unsigned char wide, std::uint32_t& count);
    /// Skips the rest of a value whose first byte is not of a list or map. Returns false for an unknown type.
    bool skip_scalar(unsigned char first);

    const char* at_;
    const char* end_;
};

// ---- implementation: inline, because decoding calls it for every field -----------

template <std::size_t N>
bool Reader::number(std::uint64_t& value) {
    if (left() < N) return false;
    value = 0;
    for (std::size_t i = 0; i < N; ++i) value = value << 8 | static_cast<unsigned char>(*at_++);
    return true;
}

inline bool Reader::take(std::uint64_t size, std::string_view& bytes) {
    if (size > left()) return false;
    bytes = {at_, static_cast<std::size_t>(size)};
    at_ += size;
    return true;
}

inline bool Reader::unsigned_integer(std::uint64_t& value) {
    if (at_end()) return false;
    const auto first = static_cast<unsigned char>(*at_++);
    if (first < 0x80) {
        value = first;
        return true;
    }
    switch (first) {
        case 0xcc:
            return number<1>(value);
        case 0xcd:
            return number<2>(value);
        case 0xce:
            return number<4>(value);
        case 0xcf:
            return number<8>(value);
        case 0xd0:  // signed, but not negative
            return number<1>(value) && value < 0x80;
        case 0xd1:
            return number<2>(value) && value < 0x8000;
        case 0xd2:
            return number<4>(value) && value < 0x8000'0000;
        case 0xd3:
            return number<8>(value) && value < 0x8000'0000'0000'0000;
        default:
            return false;
    }
}

inline bool Reader::boolean(bool& value) {
    if (at_end()) return false;
    const auto first = static_cast<unsigned char>(*at_++);
    value = first == 0xc3;
    return first == 0xc2 || first == 0xc3;
}

inline bool Reader::string(std::string_view& text) {
    if (at_end()) return false;
    const auto first = static_cast<unsigned char>(*at_++);
    if ((first & 0xe0) == 0xa0) return take(first & 0x1fu, text);
    std::uint64_t size = 0;
    const bool sized =
        (first == 0xd9 && number<1>(size)) || (first == 0xda && number<2>(size)) || (first == 0xdb && number<4>(size));
    return sized && take(size, text);
}

inline bool Reader::binary(std::string_view& bytes) {
    if (at_end()) return false;
    const auto first = static_cast<unsigned char>(*at_++);
    std::uint64_t size = 0;
    const bool sized =
        (first == 0xc4 && number<1>(size)) || (first == 0xc5 && number<2>(size)) || (first == 0xc6 && number<4>(size));
    return sized && take(size, bytes);
}

inline bool Reader::list(unsigned char fixed, unsigned char wide, std::uint32_t& count) {
    if (at_end()) return false;
    const auto first = static_cast<unsigned char>(*at_++);
    std::uint64_t size = first & 0x0fu;
    if ((first & 0xf0) != fixed && !(first == wide && number<2>(size)) && !(first == wide + 1 && number<4>(size)))
        return false;
    count = static_cast<std::uint32_t>(size);
    return true;
}

inline bool Reader::array(std::uint32_t& count) {
    return list(0x90, 0xdc, count);
}

inline bool Reader::map(std::uint32_t& count) {
    return list(0x80, 0xde, count);
}

}  // namespace muster::proto
