// A cluster in which every connection, between nodes and to them, passes a flaky proxy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/cluster.hpp"
#include "tests/integration/flaky_proxy.hpp"

namespace muster::test {

/// In the names of the routes that no worker uses, after the node's name. (Nodes use the others too, to greet each
/// other.)
inline constexpr const char* kBetweenNodes = "between nodes";

/// Nodes listen on 127.0.0.1 and advertise 127.0.1.1, where the proxy listens on the same three ports of each.
/// No fault until the proxy is told; as Cluster in all else.
class ProxiedCluster {
public:
    ProxiedCluster(std::size_t nodes, std::uint64_t seed, std::vector<std::string> arguments = {});

    [[nodiscard]] Cluster& nodes() { return *cluster_; }
    [[nodiscard]] FlakyProxy& proxy() { return *proxy_; }

private:
    std::unique_ptr<FlakyProxy> proxy_;
    std::unique_ptr<Cluster> cluster_;
};

}  // namespace muster::test
