// One or more messages of every kind, for the tests that must leave none out.
#pragma once

#include <string>
#include <vector>

#include "proto/messages.hpp"

namespace muster::proto::test {

struct Sample {
    std::string name;  // of the message, as in PROTOCOL.md
    Message message;
};

/// One ordinary message of every kind: small, every field set, every list filled.
const std::vector<Sample>& ordinary_samples();

/// Messages at the edges: empty lists and texts, the largest numbers, the longest
/// names, the deepest nesting. At least one of every kind that has fields.
const std::vector<Sample>& extreme_samples();

/// Both of the above.
std::vector<Sample> all_samples();

}  // namespace muster::proto::test
