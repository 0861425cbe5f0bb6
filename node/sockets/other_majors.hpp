// Who speaks another major version of the protocol, as lines of the log.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cluster/time.hpp"
#include "node/io/log.hpp"
#include "node/io/node_counters.hpp"

namespace muster::node {

/// At most one line a minute for each that is named, and at most kNames lines a minute: whoever can reach a port can
/// send what he likes. What was held back is told with the next line.
class OtherMajors {
public:
    static constexpr std::size_t kNames = 16;
    OtherMajors(NodeCounters& counts, Log log) : counts_(counts), log_(std::move(log)) {}

    /// `who` has sent `frame`, which the codec refused as one of another major.
    void heard(const std::string& who, std::string_view frame, cluster::Instant now);

private:
    NodeCounters& counts_;
    Log log_;
    std::map<std::string, cluster::Instant> told_;
    std::uint64_t held_back_ = 0;
};

/// What each of the two is told about `frame`, which is of another major than ours.
std::string major_and_ours(std::string_view frame);

}  // namespace muster::node
