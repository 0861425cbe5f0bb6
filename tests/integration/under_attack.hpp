// A cluster that serves while somebody attacks one of its nodes, and what must hold all the same.
#pragma once

#include <muster/worker.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/cluster.hpp"
#include "tests/integration/keys.hpp"
#include "tests/integration/ledger.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {

/// Three nodes, the first of which is attacked. A worker at each has joined one group and notifies it all the time,
/// from the constructor on.
class UnderAttack {
public:
    /// `limits` are added to the attacked node's command line. With `keys`, which have to be of three nodes at least,
    /// everybody has one, and all nodes have the limits.
    explicit UnderAttack(std::vector<std::string> limits = {}, const Keys* keys = nullptr);
    ~UnderAttack();
    UnderAttack(const UnderAttack&) = delete;
    UnderAttack& operator=(const UnderAttack&) = delete;

    [[nodiscard]] const std::string& door() const { return cluster_.address(0); }
    [[nodiscard]] const std::string& control() const { return control_; }
    [[nodiscard]] const std::string& gossip() const { return gossip_; }
    [[nodiscard]] const std::string& http() const { return http_; }
    [[nodiscard]] Cluster& cluster() { return cluster_; }
    /// A node as the attacked one knows it.
    [[nodiscard]] NodeId id_of(std::size_t node);

    /// A counter of the attacked node, as `muster status --json` has it; 0 when it has none.
    std::uint64_t counter(const std::string& name);
    /// As the worker that is attached there hears it: when nobody else can attach.
    std::uint64_t counter_from_inside(const std::string& name);
    /// Whether the counter has come to `least`, in time.
    bool counts(const std::string& name, std::uint64_t least, milliseconds timeout = 2 * kPatience);

    /// To be called at the end: every notification arrived once at each of the three, all nodes are alive and show the
    /// same members, and none has ever had more memory than `most_mib` beyond what the attacked one had at first.
    /// Failures are GoogleTest failures.
    void expect_unharmed(std::uint64_t most_mib = 150);
    /// So many notifications more have arrived: it goes on serving while the attack lasts.
    void expect_serving(std::uint64_t notifications = 100);

private:
    void run(std::uint32_t sender);
    [[nodiscard]] std::uint64_t peak_mib(std::size_t node);

    std::string control_;
    std::string gossip_;
    std::string http_;
    Cluster cluster_;
    Ledger ledger_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> senders_;
    std::uint64_t peak_ = 0;
    std::string last_error_;  // of who is attached there
};

}  // namespace muster::test
