// A steady stream of numbered notifications for one member, and what it got of them.
#pragma once

#include <muster/worker.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "tests/integration/ledger.hpp"

namespace muster::test {

/// Where the member of the feed joins.
inline const Group kFed{"orders", "subscriptions"};

/// Notifies `kFed` some five hundred times a second from a worker and a thread of its own, from the
/// constructor until `stop`. One member is to be there.
class Feed {
public:
    explicit Feed(const std::string& node);
    ~Feed();
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;

    /// The member got this one. One thread at a time.
    void arrived(const Data& data) { ledger_.arrived(0, data); }
    /// So many were sent (and matched the member), and so many arrived.
    [[nodiscard]] std::uint64_t matched() const { return ledger_.matched(); }
    [[nodiscard]] std::uint64_t count_arrived() const { return ledger_.arrived(); }

    void stop();
    /// See Ledger; after `stop`.
    [[nodiscard]] std::vector<std::string> verdict() const { return ledger_.verdict(); }

private:
    void run();

    Ledger ledger_;
    std::unique_ptr<Worker> worker_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace muster::test
