// Hashing and comparing groups in this process's lookup tables.
#pragma once

#include <muster/group.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace muster::node {

/// Combines XXH3 of both names. Faster than group_key(); the value never leaves this process.
std::uint64_t group_hash(const Group& group) noexcept;

/// Compares `sizeof(Word)` to `2 * sizeof(Word)` bytes as two words that may overlap.
template <class Word>
bool same_bytes(const char* a, const char* b, std::size_t size) noexcept {
    const auto word = [](const char* at) {
        Word value;
        std::memcpy(&value, at, sizeof value);
        return value;
    };
    const std::size_t last = size - sizeof(Word);
    return word(a) == word(b) && word(a + last) == word(b + last);
}

/// Same as ==, but inline for names of usual lengths: the call would be a noticeable part of a lookup.
inline bool same_text(const std::string& a, const std::string& b) noexcept {
    const std::size_t size = a.size();
    if (size != b.size()) return false;
    if (size >= 8 && size <= 16) return same_bytes<std::uint64_t>(a.data(), b.data(), size);
    if (size >= 4 && size < 8) return same_bytes<std::uint32_t>(a.data(), b.data(), size);
    return std::memcmp(a.data(), b.data(), size) == 0;
}
inline bool same_group(const Group& a, const Group& b) noexcept {
    return same_text(a.store, b.store) && same_text(a.feature, b.feature);
}

/// Hash function for unordered containers.
struct HashGroup {
    std::size_t operator()(const Group& group) const noexcept { return static_cast<std::size_t>(group_hash(group)); }
};

}  // namespace muster::node
