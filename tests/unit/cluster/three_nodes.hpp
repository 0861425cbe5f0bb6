// A cluster of nodes a, b and c that are ready, where a test begins.
#pragma once

#include <gtest/gtest.h>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {

class ThreeNodes : public ::testing::Test {
protected:
    void SetUp() override {
        net.start("a");
        net.start("b", "a");
        net.start("c", "a");
        net.run(std::chrono::milliseconds(600));
    }
    std::uint64_t counter(const std::string& node, const std::string& name) { return net.counter(node, name); }

    Net net;
};

}  // namespace muster::cluster::test
