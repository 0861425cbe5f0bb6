// Warns of senders that speak another major version of the protocol.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cluster/time.hpp"
#include "node/io/log.hpp"
#include "node/io/node_counters.hpp"

namespace muster::node {

/// Logs at most one line a minute for each sender, and lines of at most kMaxSenders senders a minute, because anyone
/// who can reach a port can send such frames. The next line says how many were held back.
class OtherMajors {
public:
    static constexpr std::size_t kMaxSenders = 16;
    OtherMajors(NodeCounters& counters, Log log) : counters_(counters), log_(std::move(log)) {}

    /// `sender` has sent `frame`, which the codec refused as DecodeError::wrong_major.
    void warn(const std::string& sender, std::string_view frame, cluster::Instant now);

private:
    NodeCounters& counters_;
    Log log_;
    std::map<std::string, cluster::Instant> warned_;  // by sender: when
    std::uint64_t held_back_ = 0;
};

/// Names the major version of `frame`, that of this node, and what to do. For the log and for the sender.
std::string major_and_ours(std::string_view frame);

}  // namespace muster::node
