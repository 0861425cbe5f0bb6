// Who does at random whatever a role allows, in any size, until the time is over. Each call is one liar; it returns
// then.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "node/keys/key_pair.hpp"

namespace muster::test {

/// The nodes that are attacked. The first one also at its other ports.
struct Target {
    std::vector<std::string> doors;
    std::string control, gossip, http;
    std::vector<const keys::KeyPair*> nodes{};  // by door; without keys empty
    std::chrono::steady_clock::time_point end{};

    [[nodiscard]] bool is_over() const { return std::chrono::steady_clock::now() >= end; }
};

inline const std::string kLookedAt = "looked-at";  // the store of all groups that observers try to join

/// A worker, or with the key of an observer somebody who tries to be one. `own`: null without keys.
void lie_as_worker(const Target& target, const keys::KeyPair* own, bool is_observer, std::uint64_t seed);
/// A node with a key of its own. It dies and restarts at random times.
void lie_as_node(const Target& target, const std::string& name, const keys::KeyPair& own, std::uint64_t seed);
/// A client without a key that can reach all ports, also the HTTP port.
void lie_as_stranger(const Target& target, std::uint64_t seed);

}  // namespace muster::test
