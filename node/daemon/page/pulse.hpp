// Looks at the node twice a second while somebody looks at the page, and tells all who do what has changed.
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

/// A viewer gets the whole state as its first event (`state`), then what is different (`delta`): nodes whose record has
/// changed, nodes that were forgotten, counters, changes. A look takes some steps for each node and none for a group or
/// member; without viewers there are none. Any thread.
class Pulse {
public:
    static constexpr std::size_t kViewers = 16;

    /// `node` outlives it. `now_and_then` is called on a thread of its own, at least every half minute.
    Pulse(Node& node, std::function<void()> now_and_then);
    ~Pulse();

    /// Null when there are kViewers already.
    std::shared_ptr<Viewer> enter();
    void leave(const std::shared_ptr<Viewer>& viewer);
    /// Ends all viewers; none is let in any more.
    void close();

    /// The whole state, for those who cannot have the stream.
    std::string state();

    struct Counts {
        std::uint64_t viewers = 0;
        std::uint64_t refused = 0;        // for want of a place
        std::uint64_t fallen_behind = 0;  // times that a viewer got the whole state because it was slow
    };
    [[nodiscard]] Counts counts() const;

private:
    // With the lock held:
    /// What is different since the last call.
    Json look();
    Json look_at_nodes(WallTime now);
    [[nodiscard]] Json whole() const;
    void tell(const Json& delta);

    void run();

    Node& node_;
    const std::function<void()> now_and_then_;
    const std::string scope_;
    const std::string security_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::vector<std::shared_ptr<Viewer>> viewers_;
    std::map<std::string, Json> nodes_;  // by name, as told last
    Json totals_;
    std::uint64_t version_ = 0;  // of changes, as told last
    Counts counts_;
    std::thread thread_;
};

}  // namespace muster::daemon
