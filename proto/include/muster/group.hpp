// The name of a group, and its key.
#pragma once

#include <muster/ids.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster {

/// The name of a group, which is its identity. Both parts are non-empty UTF-8 of at most 255 bytes.
struct Group {
    std::string store;
    std::string feature;

    bool operator==(const Group&) const = default;
    // Not defaulted: before version 16, libc++ has no <=> for strings.
    std::strong_ordering operator<=>(const Group& other) const {
        const auto stores = store.compare(other.store) <=> 0;
        return stores != 0 ? stores : feature.compare(other.feature) <=> 0;
    }
};

/// A 64-bit hash of a group's name: an index, not an identity. Groups with equal
/// keys remain different groups.
using GroupKey = StrongId<struct GroupKeyTag>;

/// The predefined features. Any other non-empty name is allowed.
inline constexpr std::string_view kSubscriptions = "subscriptions";
inline constexpr std::string_view kStreams = "streams";
inline constexpr std::string_view kSnapshots = "snapshots";

/// XXH64 (seed 0) of: one byte with the length of `store`, `store`, `feature`.
/// The same on every machine and in every version; proto/PROTOCOL.md has test vectors.
GroupKey group_key(std::string_view store, std::string_view feature);
inline GroupKey group_key(const Group& group) {
    return group_key(group.store, group.feature);
}

/// 16 lower-case hexadecimal digits.
std::string to_string(GroupKey key);

/// Returns why a text is not a valid store or feature, or an empty text if it is valid.
std::string_view why_invalid_part(std::string_view part);
inline bool is_valid(const Group& group) {
    return why_invalid_part(group.store).empty() && why_invalid_part(group.feature).empty();
}

}  // namespace muster
