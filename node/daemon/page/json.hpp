// JSON for the status page. Numbers that may exceed 2^53 are strings, because JavaScript has only doubles.
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
/// `since`: when this node last changed its belief about the other node's state.
Json to_json(const NodeView& view, WallTime since);

/// One line. Replaces invalid UTF-8 instead of throwing.
std::string to_text(const Json& json);

}  // namespace muster::daemon
