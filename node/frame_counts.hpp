// What came in and was dropped, by reason; what could not be sent.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "proto/codec.hpp"

namespace muster::node {

/// Written by the loop, read by anyone.
class FrameCounts {
public:
    void received() { ++received_; }
    void sent() { ++sent_; }
    void bad(proto::DecodeError error) { ++bad_[static_cast<std::size_t>(error)]; }
    void bad_parts() { ++bad_parts_; }
    void unsent() { ++unsent_; }

    /// Calls a user's handler, whose fault ends neither the node nor the others. Any thread.
    template <class Call>
    void guard(const Call& call) {
        try {
            call();
        } catch (...) {
            ++handler_threw_;
        }
    }

    void add_to(std::map<std::string, std::uint64_t>& counters) const {
        counters["frames_received"] = received_;
        counters["frames_sent"] = sent_;
        counters["frames_not_sent"] = unsent_;
        counters["bad_frames_parts"] = bad_parts_;
        counters["handler_exceptions"] = handler_threw_;
        for (std::size_t i = 0; i < bad_.size(); ++i)
            counters["bad_frames_" + std::string(to_string(static_cast<proto::DecodeError>(i)))] = bad_[i];
    }

private:
    using Count = std::atomic<std::uint64_t>;
    Count received_ = 0;
    Count sent_ = 0;
    Count unsent_ = 0;
    Count bad_parts_ = 0;
    Count handler_threw_ = 0;
    std::array<Count, proto::kDecodeErrors> bad_{};
};

}  // namespace muster::node
