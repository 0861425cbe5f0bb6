// Notifies that were answered and that the death of the node may still lose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "proto/messages.hpp"

namespace muster::client {

/// Pure. PROTOCOL.md, "Calls that outlive a node". At most 1024 calls with 64 MiB of data are kept; the oldest are
/// given up first.
class Unsettled {
public:
    static constexpr std::size_t kMost = 1024;
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

    /// The call was answered. Ignored if it is settled.
    void keep(proto::NotifyRequest&& request);
    /// Calls up to this one need not be kept.
    void settled(std::uint64_t call);
    /// Takes out all, in the order of their calls.
    std::vector<proto::NotifyRequest> take_all();

private:
    void drop_first();

    std::map<std::uint64_t, proto::NotifyRequest> kept_;  // by call
    std::size_t bytes_ = 0;
    std::uint64_t settled_ = 0;
};

}  // namespace muster::client
