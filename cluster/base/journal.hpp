// What has changed lately and why, in few words: for people who look, and for nothing else.
#pragma once

#include <muster/insight.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/time.hpp"

namespace muster::cluster {

/// Two rings, one of nodes and tables and one of members and workers, so that a storm among the latter leaves the
/// former readable. Of members, what is of one kind, node and reason is one entry for a while: two seconds, or a minute
/// while so much happens that the ring would hold less than kWorthKeeping. So an entry costs nothing per group or
/// member.
///
/// Bounded by `capacity` entries a ring; the oldest give way. With 0, which is the default, nothing is kept.
class Journal {
public:
    static constexpr Duration kWorthKeeping = std::chrono::minutes(10);

    explicit Journal(std::size_t capacity) : capacity_(capacity) {}

    [[nodiscard]] bool is_kept() const { return capacity_ > 0; }

    /// A node, or its table: every event is an entry.
    void node(Instant now, Change::Kind kind, const std::string& node, std::string text);
    void members(Instant now, Change::Kind kind, const std::string& node, Reason reason, const Group& group,
                 std::uint64_t count);
    void worker(Instant now, Change::Kind kind, const std::string& worker, const std::string& text);

    /// What is newer than `version`, oldest first; 0: all. Ages are as of `now`.
    [[nodiscard]] std::vector<Change> since(std::uint64_t version, Instant now) const;

private:
    struct Entry {
        Change change;
        Instant first{};
        Instant last{};
    };
    using Ring = std::deque<Entry>;  // by id
    using Key = std::tuple<Change::Kind, Reason, std::string>;

    Entry& add(Ring& ring, Instant now, Change::Kind kind);
    /// The entry of this key to be added to, if it is young enough; else a new one.
    Entry& gather(Instant now, Change::Kind kind, Reason reason, const std::string& node);
    [[nodiscard]] Duration window(Instant now) const;

    const std::size_t capacity_;
    Ring nodes_;
    Ring members_;
    std::map<Key, std::uint64_t> latest_;  // of members_: the youngest of its key, by id
    std::uint64_t last_id_ = 0;
    std::uint64_t version_ = 0;
};

}  // namespace muster::cluster
