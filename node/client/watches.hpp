// The worker's watches, and snapshots that come in parts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "node/client/actions.hpp"

namespace muster::client {

/// Pure. A watch has a number while the present session knows it.
class Watches {
public:
    /// Members that a snapshot in parts may have; more means that the node is not sane.
    static constexpr std::size_t kMostMembers = std::size_t{1} << 24;

    void add(Watch watch, Group group, std::shared_ptr<WatchHandler> handler);
    /// The number of its request in this session (0: none), or nothing when there is no such watch.
    std::optional<std::uint64_t> remove(Watch watch);
    [[nodiscard]] const Group* group_of(Watch watch) const;
    void requested(Watch watch, std::uint64_t number);
    /// Its request failed.
    void request_failed(Watch watch);

    void session_ended();
    /// Watches that this session does not know, in the order in which they were made.
    [[nodiscard]] std::vector<Watch> absent() const;

    enum class Taken { nothing, event, too_large };
    /// Takes in a part; `event` fills `update`.
    Taken take(proto::WatchNews&& part, WatchUpdate& update);

private:
    struct Entry {
        Group group;  // both names empty: all
        std::shared_ptr<WatchHandler> handler;
        std::uint64_t number = 0;
        std::optional<WatchEvent> partial;
        std::size_t members = 0;  // in `partial`
    };

    std::map<Watch, Entry> watches_;
    std::map<std::uint64_t, Watch> numbers_;
};

}  // namespace muster::client
