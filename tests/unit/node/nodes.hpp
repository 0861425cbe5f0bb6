// Nodes inside the test's own process.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <muster/node.hpp>

#include "tests/unit/node/support.hpp"

namespace muster::test {

inline const Group kGroup{"orders", "streams"};

/// Options of a node at any free port of loopback that is ready soon.
inline Node::Options options(const std::string& name, std::vector<std::string> seeds = {},
                             const std::string& scope = "tests") {
    Node::Options options;
    options.name = name;
    options.listen = "127.0.0.1:0";
    options.scope = scope;
    options.timing.ready_wait = std::chrono::milliseconds(300);
    options.seeds = std::move(seeds);
    return options;
}

inline JoinOptions many(std::uint64_t count, Meta meta = {}) {
    JoinOptions options;
    options.count = count;
    options.meta = std::move(meta);
    return options;
}

inline JoinOptions visible(std::uint64_t count = 1) {
    JoinOptions options;
    options.count = count;
    options.visible = true;
    options.timeout = kLong;
    return options;
}

/// Starts a node and waits until it is ready. Null, with a failed expectation, if it cannot start.
inline std::unique_ptr<Node> start(Node::Options given) {
    auto node = Node::start(std::move(given));
    EXPECT_TRUE(node.ok()) << node.error().text;
    if (!node) return nullptr;
    EXPECT_TRUE((*node)->wait_ready(kLong));
    return std::move(*node);
}

}  // namespace muster::test
