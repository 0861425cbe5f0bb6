// The worker's watches, and their events, which come in parts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "node/client/actions.hpp"

namespace muster::client {

/// Pure. A watch outlives sessions. It has a number (that of its request) while it was asked for in the current
/// session.
class Watches {
public:
    /// The most members and groups of one event. A node that sends more sends without end.
    static constexpr std::size_t kMostMembers = std::size_t{1} << 24;

    void add(Watch watch, Group group, std::shared_ptr<WatchHandler> handler);
    /// Returns the watch's number (0: not asked for in this session), or nothing if there is no such watch.
    std::optional<std::uint64_t> remove(Watch watch);
    /// Null if there is no such watch.
    [[nodiscard]] const Group* group_of(Watch watch) const;
    /// The watch exists, and is asked for under that number.
    void requested(Watch watch, std::uint64_t number);
    /// Its request failed: the watch is absent.
    void request_failed(Watch watch);

    void session_ended();
    /// The watches without a number, in the order in which they were made.
    [[nodiscard]] std::vector<Watch> absent() const;

    enum class Taken { nothing, event, too_large };
    /// `nothing`: the watch has ended, or more parts of the event follow and its handler wants the whole. `event`:
    /// `update` was filled.
    Taken take(proto::WatchNews&& part, WatchUpdate& update);

private:
    struct Entry {
        Group group;  // both names empty: every group
        std::shared_ptr<WatchHandler> handler;
        std::uint64_t number = 0;
        std::optional<WatchEvent> partial;  // an event whose last part has not come; without what was passed on
        std::size_t members = 0;            // members and groups in `partial`
    };

    std::map<Watch, Entry> watches_;
    std::map<std::uint64_t, Watch> numbers_;
};

}  // namespace muster::client
