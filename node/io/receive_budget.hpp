// How much one turn of the loop receives.
#pragma once

#include <algorithm>
#include <cstddef>

namespace muster::node {

/// A message of 1 MiB takes a thousand times as long to decode as a small one, so bytes are counted, too. libzmq takes
/// turns between the connections of a socket: one that sends much cannot hide what others send.
struct ReceiveBudget {
    std::size_t messages = 0;
    std::size_t bytes = 0;  // the last message may exceed it

    [[nodiscard]] bool is_spent() const { return messages == 0 || bytes == 0; }
    void spend(std::size_t message_bytes) {
        --messages;
        bytes -= std::min(bytes, message_bytes);
    }
};

}  // namespace muster::node
