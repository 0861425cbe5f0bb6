// The worker's own members: what the user was told they are called, and what
// they are called now. Sessions come and go; members stay until they leave.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "node/client/actions.hpp"

namespace muster::client {

/// Pure. A member has a number while the present session has joined it; after
/// `session_ended` it is absent until `rejoined` gives it a new one.
class Roster {
public:
    using JoinId = std::uint64_t;
    /// Position in the order of joining.
    using Position = std::uint64_t;

    /// What one join call made.
    struct Join {
        Group group;
        Meta meta;
        Handler handler;
        std::set<Position> members;
    };
    struct Absent {
        JoinId join = 0;
        Group group;
        Meta meta;
        std::uint64_t count = 0;
    };

    /// Numbers of the present session are this node's.
    void attached_to(NodeId node) { node_ = std::move(node); }

    /// New members; answers their ids, in the order of the runs.
    std::vector<MemberId> add(Join join, const std::vector<proto::NumberRun>& runs);

    /// The members of this session among those to which something was delivered.
    struct Addressees {
        std::shared_ptr<const Targets> targets;  // those that have a handler
        bool all_known = true;                   // whether all are members now
    };
    /// The answer stands until the next call.
    const Addressees& find(const std::vector<MemberNumber>& numbers);

    /// Members of the group to leave, latest first; a member picked is not picked again until it is put back.
    std::vector<Position> pick(const Group& group, std::uint64_t count);
    /// The same by ids: those that `add` answered, or those of the present session.
    std::vector<Position> pick(const Group& group, const std::vector<MemberId>& ids);
    void put_back(const std::vector<Position>& positions);
    /// Numbers of those that are not absent.
    [[nodiscard]] std::vector<MemberNumber> numbers(const std::vector<Position>& positions) const;
    /// They are gone for good; answers the ids that `add` answered.
    std::vector<MemberId> remove(const std::vector<Position>& positions);

    /// All members are absent from now on.
    void session_ended();
    /// What has to be joined again, in the order in which it was joined first.
    [[nodiscard]] std::vector<Absent> absent() const;
    /// Gives the absent members of a join their new numbers.
    void rejoined(JoinId join, const std::vector<proto::NumberRun>& runs);

    [[nodiscard]] std::size_t size() const { return members_.size(); }

private:
    struct Owned {
        MemberId given;
        MemberNumber now;  // 0: absent
        JoinId join = 0;
        bool leaving = false;
    };

    void pick_one(Position position, std::vector<Position>& picked);
    void drop_cache();
    void set_number(MemberNumber number, Position position, const Handler& handler);

    NodeId node_;
    std::uint64_t last_join_ = 0;
    std::uint64_t last_position_ = 0;
    std::map<JoinId, Join> joins_;
    std::map<Position, Owned> members_;
    std::map<Group, std::set<Position>> groups_;
    std::map<MemberId, Position> given_;
    // For every delivery, hence the shortest way to the handler.
    struct Current {
        Position position = 0;
        const Handler* handler = nullptr;
    };
    std::unordered_map<MemberNumber, Current> current_;
    // The last answer of find, for these numbers; no numbers: none. It must not keep handlers of those who left.
    std::vector<MemberNumber> found_for_;
    Addressees found_;
};

}  // namespace muster::client
