#include <muster/group.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string>

#include "proto/group_hash.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

namespace muster {

GroupKey group_key(std::string_view store, std::string_view feature) {
    std::array<char, 1 + 2 * limits::kGroupPart> buffer;
    std::string fallback;
    const std::size_t size = 1 + store.size() + feature.size();
    char* out = buffer.data();
    // Only callers with names that no group can have reach beyond the buffer.
    if (size > buffer.size()) {
        fallback.resize(size);
        out = fallback.data();
    }
    out[0] = static_cast<char>(store.size());
    std::copy(feature.begin(), feature.end(), std::copy(store.begin(), store.end(), out + 1));
    return GroupKey{XXH64(out, size, 0)};
}

std::uint64_t proto::group_hash(const Group& group) noexcept {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // so that exchanged names differ
    return XXH3_64bits(group.store.data(), group.store.size()) * kOdd +
           XXH3_64bits(group.feature.data(), group.feature.size());
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
