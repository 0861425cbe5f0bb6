// Members that an earlier process left in the session and that this one has not joined yet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_set>
#include <vector>

#include "node/client/saved_session.hpp"
#include "node/client/time.hpp"

namespace muster::client {

/// Pure. A deadline is set only while there are such members.
class Unclaimed {
public:
    explicit Unclaimed(std::map<std::uint64_t, SavedSession::Join> joins);

    /// Once the session was resumed, they may be claimed until then. The first call counts.
    void wait_until(Instant deadline);
    /// Instant::max() if they wait for the session to be resumed, or if there are none.
    [[nodiscard]] Instant deadline() const { return deadline_; }

    [[nodiscard]] bool empty() const { return joins_.empty(); }
    [[nodiscard]] bool has(MemberNumber number) const { return numbers_.contains(number); }

    /// The earliest join of the same group, metadata and count.
    std::optional<SavedSession::Join> claim(const proto::JoinRequest& request);
    /// These have left.
    void remove(const std::vector<MemberNumber>& members);
    /// All that nobody claimed.
    std::vector<SavedSession::Join> take_all();

private:
    std::map<std::uint64_t, SavedSession::Join> joins_;  // in the order of joining; none is without members
    std::unordered_set<MemberNumber> numbers_;
    Instant deadline_ = Instant::max();
};

}  // namespace muster::client
