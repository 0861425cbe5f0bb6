// The latest changes and their reasons, for people: `Node::changes()` and the status page show them. Nothing in the
// core depends on them.
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

/// Two rings of entries: one for nodes and their tables, one for members and workers. So a storm of joins does not push
/// out the entry that says why a node went down.
///
/// Changes of members with the same kind, reason and node share one entry for a while: for two seconds, or for a minute
/// while changes come so fast that the ring would cover less than kMinCovered. An entry names a few groups as examples
/// only, so its size does not depend on the number of groups or members.
///
/// Each ring has at most `capacity` entries; the oldest ones are dropped. With 0, the default, nothing is kept.
class Journal {
public:
    static constexpr Duration kMinCovered = std::chrono::minutes(10);

    explicit Journal(std::size_t capacity) : capacity_(capacity) {}

    [[nodiscard]] bool is_enabled() const { return capacity_ > 0; }

    /// Adds a change of a node or of its table, always as an entry of its own.
    void node(Instant now, Change::Kind kind, const std::string& node, std::string text);
    /// Adds a change of `count` members of one group at `node`.
    void members(Instant now, Change::Kind kind, const std::string& node, Reason reason, const Group& group,
                 std::uint64_t count);
    /// Adds a change of a worker at this node.
    void worker(Instant now, Change::Kind kind, const std::string& worker, const std::string& text);

    /// The entries that were added or extended after `version` (0: all), oldest first. Ages are as of `now`.
    [[nodiscard]] std::vector<Change> since(std::uint64_t version, Instant now) const;

private:
    struct Entry {
        Change change;
        Instant first{};
        Instant last{};
    };
    using Ring = std::deque<Entry>;  // by id
    using Key = std::tuple<Change::Kind, Reason, std::string>;

    Entry& append(Ring& ring, Instant now, Change::Kind kind);
    /// The latest entry of this key if it is recent enough to be extended, else a new one.
    Entry& find_or_append(Instant now, Change::Kind kind, Reason reason, const std::string& node);
    /// How long an entry is extended.
    [[nodiscard]] Duration window(Instant now) const;

    const std::size_t capacity_;
    Ring nodes_;
    Ring members_;
    std::map<Key, std::uint64_t> latest_;  // the id of the latest entry of each key in members_
    std::uint64_t last_id_ = 0;
    std::uint64_t version_ = 0;
};

}  // namespace muster::cluster
