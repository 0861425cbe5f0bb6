// Members of an earlier process that are still in the session and that this process has not joined yet.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "node/client/saved_session.hpp"
#include "node/client/time.hpp"

namespace muster::client {

/// Pure. A deadline is set only while there are such members.
class Unclaimed {
public:
    explicit Unclaimed(SavedSession::Joins joins);

    /// The session was resumed: members may be claimed until `deadline`. Later calls change nothing.
    void wait_until(Instant deadline);
    /// Instant::max() before `wait_until`, or if there are no members.
    [[nodiscard]] Instant deadline() const { return deadline_; }

    [[nodiscard]] bool empty() const { return joins_.empty(); }
    [[nodiscard]] bool has(MemberNumber number) const { return numbers_.contains(number); }

    /// Takes out the members of the earliest join with the same group, metadata and count.
    std::optional<SavedSession::Join> claim(const proto::JoinRequest& request);
    /// These members have left.
    void remove(const std::vector<MemberNumber>& members);
    /// Takes out everything.
    std::vector<SavedSession::Join> take_all();

private:
    SavedSession::Joins joins_;  // in the order of joining; each has members
    std::unordered_set<MemberNumber> numbers_;
    Instant deadline_ = Instant::max();
};

}  // namespace muster::client
