// The worker's own members, under the ids that the user knows and under their numbers in the current session, and what
// each of their groups has had.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "node/client/actions.hpp"
#include "node/client/lives.hpp"
#include "node/client/positions.hpp"
#include "node/client/time.hpp"

namespace muster::client {

/// Pure. Members outlive sessions and stay until they leave. A member has a number while the current session has joined
/// it. After `session_ended` it is absent, until `rejoined` gives it a new number.
class Roster {
public:
    using JoinId = std::uint64_t;
    /// Names a member for ever: its place in the order of joining, from 1 on.
    using Place = std::uint64_t;

    /// The members of one join call.
    struct Join {
        Group group;
        Meta meta;
        Handler handler;
        std::set<Place> members;
        Instant asked_at{};  // when the request was first sent
    };
    /// What of a join has to be joined again.
    struct Absent {
        JoinId join = 0;
        Group group;
        Meta meta;
        std::uint64_t count = 0;
    };

    /// Numbers of the current session are this node's.
    void attached_to(NodeId node) { node_ = std::move(node); }

    /// Adds members and returns their ids, in the order of the runs.
    std::vector<MemberId> add(Join join, const std::vector<proto::NumberRun>& runs);

    /// A group with members.
    struct OfGroup {
        std::uint64_t number = 0;  // for `lives_`: a group that comes back has another one
        std::set<Place> members;
        Positions positions;
    };

    /// Who is to handle a notification.
    struct Addressees {
        std::shared_ptr<const Targets> targets;  // members of the current session that have a handler
        bool all_known = true;                   // whether all numbers are members of the current session
        OfGroup* group = nullptr;                // of the members of the current session; null: there is none
    };
    /// The result is valid until the next call.
    const Addressees& find(const std::vector<MemberNumber>& numbers);
    /// A notification for these has come, and is to be handled now. Advances the group's positions. Only one that is
    /// fresh is to be handled; `late`: to be told as lost.
    proto::Copy accept(const Addressees& addressees, const proto::Notice& notice);

    /// Picks up to `count` members of the group that are to leave, latest first. A member that was picked is not picked
    /// again until it is put back.
    std::vector<Place> pick(const Group& group, std::uint64_t count);
    /// The same by ids: those that `add` returned, or those of the current session. Unknown ids are ignored.
    std::vector<Place> pick(const Group& group, const std::vector<MemberId>& ids);
    void put_back(const std::vector<Place>& places);
    /// The numbers of those that are not absent.
    [[nodiscard]] std::vector<MemberNumber> numbers(const std::vector<Place>& places) const;
    /// They are gone for good. Returns the ids that `add` returned.
    std::vector<MemberId> remove(const std::vector<Place>& places);

    /// All members are absent now.
    void session_ended();
    /// What has to be joined again, in the order of the first joins.
    [[nodiscard]] std::vector<Absent> absent() const;
    /// Gives the absent members of a join their new numbers.
    void rejoined(JoinId join, const std::vector<proto::NumberRun>& runs);
    /// When the join's request was first sent. Instant::max() if it has no member any more.
    [[nodiscard]] Instant asked_at(JoinId join) const;
    /// How far the group has come. It is forgotten with the group's last member.
    [[nodiscard]] std::vector<proto::RejoinRequest::Position> positions(const Group& group) const;

    [[nodiscard]] std::size_t size() const { return members_.size(); }

private:
    struct Owned {
        MemberId given;    // the id that the user knows
        MemberNumber now;  // in the current session; 0: absent
        JoinId join = 0;
        bool leaving = false;
    };

    void pick_one(Place place, std::vector<Place>& picked);
    void drop_cache();
    OfGroup& group_of(const Group& group);
    void set_number(MemberNumber number, Place place, const Handler& handler, OfGroup& group);

    NodeId node_;
    std::uint64_t last_join_ = 0;
    std::uint64_t last_place_ = 0;
    std::uint64_t last_group_ = 0;
    std::map<JoinId, Join> joins_;
    std::map<Place, Owned> members_;
    std::map<Group, OfGroup> groups_;
    Lives lives_;
    std::map<MemberId, Place> given_;
    // Looked up for every notification, so it has the handler itself.
    struct Current {
        Place place = 0;
        const Handler* handler = nullptr;
        OfGroup* group = nullptr;
    };
    std::unordered_map<MemberNumber, Current> current_;
    // The last result of `find`, and the numbers that it is for (none: there is no result). It is dropped when a
    // member leaves, because it would keep the member's handler.
    std::vector<MemberNumber> found_for_;
    Addressees found_;
};

}  // namespace muster::client
