// Kept frames of released versions: frames/VERSION/TYPE.jsonl, one frame a line,
//   {"frame": "hexadecimal", "from": "sample" or "traffic", "says": what it means}
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proto/messages.hpp"

namespace muster::versions {

struct KeptFrame {
    std::string where;  // file and line
    std::string type;   // by the name of its file
    std::string frame;
    nlohmann::json says;
};

/// Throws std::runtime_error when something there is not as written above.
std::vector<KeptFrame> read_frames(const std::string& folder);

/// Replaces what `folder` has. Takes frames of 2 KiB at most, and of each type at most eight of traffic.
/// Returns the types of which there is no frame of traffic.
std::vector<std::string> write_frames(const std::string& folder, const std::vector<std::string>& traffic);

/// How what is `said` differs from what was `expected`, or empty. Lists are as long as they were; a record may have
/// got more fields since.
std::string difference(const nlohmann::json& expected, const nlohmann::json& said, const std::string& path = "");

}  // namespace muster::versions
