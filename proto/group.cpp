#include <muster/group.hpp>

#include <algorithm>
#include <array>
#include <string>

#include "proto/limits.hpp"
#include "proto/utf8.hpp"
#include "proto/xxh64.hpp"

namespace muster {

GroupKey group_key(std::string_view store, std::string_view feature) {
    std::array<char, 1 + 2 * limits::kGroupPart> buffer;
    std::string fallback;
    const std::size_t size = 1 + store.size() + feature.size();
    char* out = buffer.data();
    // Larger than the buffer only for names that no valid group has.
    if (size > buffer.size()) {
        fallback.resize(size);
        out = fallback.data();
    }
    out[0] = static_cast<char>(store.size());
    std::copy(feature.begin(), feature.end(), std::copy(store.begin(), store.end(), out + 1));
    return GroupKey{proto::Xxh64::of({out, size})};
}

std::string to_string(GroupKey key) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text(16, '0');
    for (int i = 15; i >= 0; --i, key.value >>= 4) text[static_cast<std::size_t>(i)] = digits[key.value & 15];
    return text;
}

std::string_view why_invalid_part(std::string_view part) {
    if (part.empty()) return "is empty";
    if (part.size() > limits::kGroupPart) return "is longer than 255 bytes";
    if (!is_utf8(part)) return "is not UTF-8";
    return {};
}

}  // namespace muster
