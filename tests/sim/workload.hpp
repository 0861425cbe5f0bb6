// Random use of the cluster: handlers inside nodes, and workers.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/worker.hpp"

namespace muster::sim {

class Workload {
public:
    Workload(World& world, Model& model);

    /// Calls come at every node and worker until stop().
    void start();
    void stop() { stopped_ = true; }
    /// One notification from every node and attached worker to every group: in a
    /// cluster at rest all of them must arrive.
    void roll_call();

    std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }

private:
    void host_turn(Host& host);
    void worker_turn(Worker& worker);
    void call_host(Host& host);
    void call_worker(Worker& worker);
    void join_at(Host& host);
    void leave_at(Host& host);
    void notify_at(Host& host);
    [[nodiscard]] Group any_group();
    [[nodiscard]] std::uint64_t any_count();
    [[nodiscard]] Meta any_meta(std::uint64_t count);
    [[nodiscard]] Duration pause_between_calls();

    World& world_;
    Model& model_;
    Random random_;
    std::vector<Group> groups_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::uint64_t last_watch_ = kMainWatch.value;
    bool stopped_ = false;
};

}  // namespace muster::sim
