// Which members are one to a worker: it has joined again at another node, and what was for the one before is for it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sim/truth.hpp"

namespace muster::sim {

/// A member: index of the life, and number.
using MemberKey = std::pair<std::uint64_t, std::uint64_t>;

class Continuity {
public:
    explicit Continuity(Duration window) : window_(window) {}

    /// A worker asks for its members of a group again; in order, those that each new one follows.
    void rejoins(const std::string& worker, std::uint64_t token, const Group& group, std::vector<MemberKey> before);
    /// The node has given it the next of them.
    void rejoined(const std::string& worker, std::uint64_t token, const Group& group, MemberKey member, Duration now);

    /// The first of those that are one with this member.
    [[nodiscard]] MemberKey root_of(MemberKey member) const;
    /// The latest of them.
    [[nodiscard]] MemberKey latest_of(MemberKey member) const;
    [[nodiscard]] bool has_moved(MemberKey member) const { return next_.contains(member); }
    /// When its worker joined again, if it has.
    [[nodiscard]] std::optional<Duration> moved_at(MemberKey member) const;

    /// A notifier's node does not show this member of a worker any more, and not because it left.
    void lost(std::uint64_t origin, MemberKey member, const Group& group, Duration now);
    /// It shows the member.
    void shown(std::uint64_t origin, MemberKey member, Duration now);
    /// Members of the group that this node has lost lately: their workers may join again.
    [[nodiscard]] std::vector<MemberKey> away(std::uint64_t origin, const Group& group, Duration now) const;
    /// Whether this node had then seen the one that the member has become: what it sends is for that one.
    [[nodiscard]] bool is_followed(std::uint64_t origin, MemberKey member, Duration at) const;
    /// Whether this node has shown the member again since.
    [[nodiscard]] bool returned_since(std::uint64_t origin, MemberKey member, Duration since) const;

    /// Whether the member follows another one, or one whose join was not answered, and had not joined for long, or at
    /// all, when something was sent: it may come from the memory of a node.
    [[nodiscard]] bool is_fresh(MemberKey member, Duration sent_at) const;

    [[nodiscard]] Duration window() const { return window_; }

private:
    static constexpr Duration kReplayTakes = std::chrono::seconds(10);  // at most, where nodes are cut off meanwhile

    Duration window_;
    std::map<std::tuple<std::string, std::uint64_t, Group>, std::deque<MemberKey>> asked_;
    std::map<MemberKey, MemberKey> root_;
    std::map<MemberKey, std::pair<MemberKey, Duration>> next_;
    std::map<MemberKey, Duration> joined_at_;  // of those that asked for what memories hold
    std::map<std::uint64_t, std::map<Group, std::map<MemberKey, Duration>>> lost_;
    std::map<std::uint64_t, std::map<MemberKey, Duration>> shown_;  // again
    std::map<std::uint64_t, std::map<MemberKey, Duration>> first_shown_;
};

}  // namespace muster::sim
