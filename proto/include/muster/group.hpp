// What a group is called, and the key that indexes it.
#pragma once

#include <muster/ids.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster {

/// The identity of a group. Both parts are non-empty UTF-8 of at most 255 bytes.
struct Group {
    std::string store;
    std::string feature;

    auto operator<=>(const Group&) const = default;
};

/// A 64-bit hash of a group's name: an index, never the identity. Two groups
/// whose keys collide stay two groups.
using GroupKey = StrongId<struct GroupKeyTag>;

/// The predefined features; any other non-empty name is allowed.
inline constexpr std::string_view kSubscriptions = "subscriptions";
inline constexpr std::string_view kStreams = "streams";
inline constexpr std::string_view kSnapshots = "snapshots";

/// XXH64 (seed 0) of: one byte with the length of `store`, `store`, `feature`.
/// Stable for ever, on every machine; proto/PROTOCOL.md has test vectors.
GroupKey group_key(std::string_view store, std::string_view feature);
inline GroupKey group_key(const Group& group) {
    return group_key(group.store, group.feature);
}

/// 16 lower-case hexadecimal digits.
std::string to_string(GroupKey key);

/// Why a text cannot be a store or feature; empty when it can.
std::string_view why_invalid_part(std::string_view part);
inline bool is_valid(const Group& group) {
    return why_invalid_part(group.store).empty() && why_invalid_part(group.feature).empty();
}

}  // namespace muster
