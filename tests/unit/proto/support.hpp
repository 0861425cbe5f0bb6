// Small tools of the codec's tests: bytes as hex, a second msgpack reader and writer, seeds.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "proto/codec.hpp"

namespace muster::proto::test {

/// "01 ff" and "01ff" alike; throws std::invalid_argument on anything else.
std::string from_hex(std::string_view text);
std::string to_hex(std::string_view bytes);

/// A file of the source tree, by its path from the root. Throws when it cannot be read.
std::string read_source(const std::string& path);

/// A frame as a tree and back, by an implementation of msgpack that is not the codec's.
nlohmann::json tree_of(std::string_view frame);
std::string frame_of(const nlohmann::json& tree);

/// Why `frame` is refused, or "ok".
std::string verdict(std::string_view frame);

/// From MUSTER_TEST_SEED when set, else fresh; printed, so that a failure can be repeated.
std::uint64_t test_seed();

}  // namespace muster::proto::test
