// Polls the node's state for the status page, and sends the differences to all viewers.
#pragma once

#include <muster/node.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "node/daemon/page/json.hpp"
#include "node/daemon/page/viewer.hpp"

namespace muster::daemon {

/// A viewer receives the whole state as its first event (`state`), then the differences (`delta`): changed and
/// forgotten nodes, counters, and entries of the journal. All viewers share one poll, twice a second, whose cost
/// depends on the number of nodes but not on groups or members. There is no poll without viewers. Any thread.
class StateFeed {
public:
    static constexpr std::size_t kViewers = 16;

    /// `node` must outlive it. `housekeeping` is called on a thread of its own, at least every half minute.
    StateFeed(Node& node, std::function<void()> housekeeping);
    ~StateFeed();

    /// Null if there are already kViewers, or after close().
    std::shared_ptr<Viewer> subscribe();
    void unsubscribe(const std::shared_ptr<Viewer>& viewer);
    /// Closes all viewers. There are no new ones afterwards.
    void close();

    /// The whole state as JSON, for clients that poll. Polls the node now.
    std::string state();

    struct Counts {
        std::uint64_t viewers = 0;
        std::uint64_t refused = 0;        // because there were kViewers already
        std::uint64_t fallen_behind = 0;  // times that a slow viewer received the whole state
    };
    [[nodiscard]] Counts counts() const;

private:
    // With the lock held:
    /// The differences since the last call.
    Json poll();
    Json poll_nodes(WallTime now);
    [[nodiscard]] Json full_state() const;
    void send(const Json& delta);

    void run();

    Node& node_;
    const std::function<void()> housekeeping_;
    const std::string scope_;
    const std::string security_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool closing_ = false;
    std::vector<std::shared_ptr<Viewer>> viewers_;
    std::map<std::string, Json> nodes_;  // by name, as sent last
    Json totals_;
    std::uint64_t version_ = 0;  // of the journal, as sent last
    Counts counts_;
    std::thread thread_;
};

}  // namespace muster::daemon
