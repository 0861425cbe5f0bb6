#include "proto/reader.hpp"

#include <algorithm>

namespace muster::proto {

bool Reader::skip_scalar(unsigned char first) {
    std::string_view bytes;
    std::uint64_t size = 0;
    if (first < 0x80 || first >= 0xe0) return true;                    // small integers
    if ((first & 0xe0) == 0xa0) return take(first & 0x1fu, bytes);     // short strings
    if (first == 0xc0 || first == 0xc2 || first == 0xc3) return true;  // nil, false, true
    switch (first) {
        case 0xc4:
        case 0xd9:
            return number<1>(size) && take(size, bytes);
        case 0xc5:
        case 0xda:
            return number<2>(size) && take(size, bytes);
        case 0xc6:
        case 0xdb:
            return number<4>(size) && take(size, bytes);
        case 0xc7:  // extensions have one more byte, their type
            return number<1>(size) && take(size + 1, bytes);
        case 0xc8:
            return number<2>(size) && take(size + 1, bytes);
        case 0xc9:
            return number<4>(size) && take(size + 1, bytes);
        case 0xcc:
        case 0xd0:
            return take(1, bytes);
        case 0xcd:
        case 0xd1:
            return take(2, bytes);
        case 0xca:
        case 0xce:
        case 0xd2:
            return take(4, bytes);
        case 0xcb:
        case 0xcf:
        case 0xd3:
            return take(8, bytes);
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
            return take((1u << (first - 0xd4u)) + 1, bytes);
        default:  // 0xc1 is not a type
            return false;
    }
}

bool Reader::skip(std::size_t max_depth, std::size_t max_items) {
    std::array<std::uint64_t, kDeepest> open{};  // values left in each enclosing list or map
    std::size_t depth = 0;
    for (;;) {
        if (at_end()) return false;
        const auto first = static_cast<unsigned char>(*at_);
        const bool is_array = (first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd;
        const bool is_map = (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
        if (is_array || is_map) {
            std::uint32_t count = 0;
            if (!(is_array ? array(count) : map(count)) || count > max_items) return false;
            if (depth >= std::min(max_depth, kDeepest)) return false;
            open[depth++] = is_map ? 2 * std::uint64_t{count} : count;
        } else {
            ++at_;
            if (!skip_scalar(first)) return false;
            if (depth != 0) --open[depth - 1];
        }
        while (depth != 0 && open[depth - 1] == 0) {
            --depth;
            if (depth != 0) --open[depth - 1];
        }
        if (depth == 0) return true;
    }
}

}  // namespace muster::proto
