// Ids that cross the wire. Each is a type of its own, so a sequence number
// cannot be passed where an incarnation is expected.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// A typed number: `Tag` makes two of them different types. It has only the
/// arithmetic that makes sense for ids and sequence numbers. 0: none.
template <class Tag>
struct StrongId {
    std::uint64_t value = 0;

    constexpr StrongId() = default;
    constexpr explicit StrongId(std::uint64_t v) : value(v) {}
    constexpr auto operator<=>(const StrongId&) const = default;
    [[nodiscard]] constexpr StrongId next() const { return StrongId{value + 1}; }
    [[nodiscard]] constexpr StrongId plus(std::uint64_t n) const { return StrongId{value + n}; }
    [[nodiscard]] constexpr explicit operator bool() const { return value != 0; }
};

/// One life of a node: the time of its start in microseconds since 1970, by default.
/// It grows with every start, so an earlier life is never mistaken for this one. 0: none.
using Incarnation = StrongId<struct IncarnationTag>;
/// Position in one origin's log of deltas. The first delta is 1; 0 means no delta.
using Seq = StrongId<struct SeqTag>;
/// Number of a member within one incarnation of its node; never reused. 0: none.
using MemberNumber = StrongId<struct MemberNumberTag>;
/// The secret id of a worker's session at one node. 0: none.
using SessionToken = StrongId<struct SessionTokenTag>;

/// One life of one node.
struct NodeId {
    std::string name;
    Incarnation incarnation;

    bool operator==(const NodeId& other) const { return incarnation == other.incarnation && name == other.name; }
    // Not defaulted: before version 16, libc++ has no <=> for strings.
    std::strong_ordering operator<=>(const NodeId& other) const {
        const auto names = name.compare(other.name) <=> 0;
        return names != 0 ? names : incarnation <=> other.incarnation;
    }
};

/// One join of one group by one owner, unique in the cluster and over time.
struct MemberId {
    NodeId node;
    MemberNumber number;

    auto operator<=>(const MemberId&) const = default;
};

/// Returns "node/incarnation/number", the form used by the command line.
std::string to_string(const MemberId& id);
/// The inverse of to_string. Returns nullopt if the text is not a member id.
std::optional<MemberId> parse_member_id(std::string_view text);

/// Whether a text can name a node or worker: 1 to 64 of [A-Za-z0-9._-], beginning with a letter or digit.
bool is_valid_name(std::string_view name);

}  // namespace muster

template <class Tag>
struct std::hash<muster::StrongId<Tag>> {
    std::size_t operator()(const muster::StrongId<Tag>& c) const noexcept {
        return std::hash<std::uint64_t>{}(c.value);
    }
};
