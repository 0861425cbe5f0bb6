// What a node tells of itself, as the page reads it. Numbers that may be beyond 2^53 are texts.
#pragma once

#include <muster/insight.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

namespace muster::daemon {

using Json = nlohmann::json;
using WallTime = std::chrono::milliseconds;  // since 1970

WallTime wall_time();

Json to_json(const Group& group);
Json to_json(const Change& change, WallTime now);
Json to_json(const Member& member);
/// `since`: when it came to be believed in its state.
Json to_json(const NodeView& view, WallTime since);

/// In one line, whatever the texts in it are.
std::string to_text(const Json& json);

}  // namespace muster::daemon
