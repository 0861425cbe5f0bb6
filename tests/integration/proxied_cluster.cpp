#include "tests/integration/proxied_cluster.hpp"

#include <utility>

namespace muster::test {

ProxiedCluster::ProxiedCluster(std::size_t nodes, std::uint64_t seed, std::vector<std::string> arguments) {
    const std::string inside = "127.0.0.1:";
    const std::string outside = "127.0.1.1:";
    std::vector<Place> places;
    std::vector<FlakyProxy::Route> routes;
    for (std::size_t i = 0; i < nodes; ++i) {
        const auto door = std::to_string(free_port());
        const auto control = std::to_string(free_port());
        const auto gossip = std::to_string(free_port());
        routes.push_back({outside + door, inside + door, Cluster::name(i) + ": door"});
        for (const auto& port : {control, gossip})
            routes.push_back({outside + port, inside + port, Cluster::name(i) + ": " + kBetweenNodes});
        places.push_back({{},
                          outside + door,
                          {"--listen", inside + door, "--advertise", outside + door, "--control-port", control,
                           "--gossip-port", gossip}});
    }
    proxy_ = std::make_unique<FlakyProxy>(std::move(routes), seed);
    cluster_ = std::make_unique<Cluster>(std::move(places), std::move(arguments));
}

}  // namespace muster::test
