// What came in and was dropped, by reason; what could not be sent.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "node/io/connection_counts.hpp"
#include "proto/codec.hpp"

namespace muster::node {

/// Why a connection, or what came over it, was refused.
enum class Refusal : std::uint8_t {
    unknown_key,   // a handshake with a key that is not trusted
    wrong_role,    // with one that may not connect to this socket
    no_key,        // with none at all
    other_server,  // meant for another node's key, or damaged
    broken,        // none at all, or not in time
    no_user,       // a message of a connection that nobody admitted
    removed_key,   // a message of one whose key is not trusted any more
};
/// The counter of each.
inline constexpr std::array kRefusals{"refused_handshakes_unknown_key", "refused_handshakes_wrong_role",
                                      "refused_handshakes_no_key",      "refused_handshakes_other_server",
                                      "refused_handshakes_broken",      "refused_messages_no_user",
                                      "refused_messages_removed_key"};
/// The counter of each proto::DecodeError.
inline constexpr std::array kBadFrames{"bad_frames_too_large",   "bad_frames_malformed",    "bad_frames_trailing_bytes",
                                       "bad_frames_wrong_major", "bad_frames_unknown_type", "bad_frames_bad_field"};
static_assert(kBadFrames.size() == proto::kDecodeErrors);

/// How far a node is open to others.
enum class Secured : std::uint8_t {
    curve,     // to those whose keys are trusted
    loopback,  // to everyone on this machine
    insecure,  // to everyone who can reach it
};

/// Any thread.
class NodeCounters {
public:
    void received() { ++received_; }
    void sent() { ++sent_; }
    void bad(proto::DecodeError error) { ++bad_[static_cast<std::size_t>(error)]; }
    void bad_parts() { ++bad_parts_; }
    void unsent() { ++unsent_; }
    void held_back() { ++held_back_; }
    void subscriptions_refused(std::size_t topics) { subscriptions_refused_ += topics; }
    void bad_subscription() { ++bad_subscriptions_; }
    void presence_refused() { ++presence_refused_; }
    void routes_forgotten(std::size_t routes) { routes_forgotten_ += routes; }
    [[nodiscard]] bool has_keys() const { return secured_ == Secured::curve; }
    void secured(Secured how) { secured_ = how; }
    void handler_threw() { ++handler_threw_; }
    void refused(Refusal why) { ++refused_[static_cast<std::size_t>(why)]; }

    void add_to(std::map<std::string, std::uint64_t>& counters) const {
        counters["frames_received"] = received_;
        counters["frames_sent"] = sent_;
        counters["frames_not_sent"] = unsent_;
        counters["bad_frames_parts"] = bad_parts_;
        counters["handler_exceptions"] = handler_threw_;
        counters["log_lines_held_back"] = held_back_;
        counters["subscriptions_refused"] = subscriptions_refused_;
        counters["bad_subscriptions"] = bad_subscriptions_;
        counters["presence_refused"] = presence_refused_;
        counters["routes_forgotten"] = routes_forgotten_;
        connections.add_to(counters);
        counters["security_curve"] = secured_ == Secured::curve ? 1 : 0;
        counters["security_insecure"] = secured_ == Secured::insecure ? 1 : 0;
        for (std::size_t i = 0; i < refused_.size(); ++i) counters[kRefusals[i]] = refused_[i];
        for (std::size_t i = 0; i < bad_.size(); ++i) counters[kBadFrames[i]] = bad_[i];
    }

    ConnectionCounts connections;

private:
    using Count = std::atomic<std::uint64_t>;
    std::atomic<Secured> secured_ = Secured::loopback;
    Count received_ = 0;
    Count sent_ = 0;
    Count unsent_ = 0;
    Count bad_parts_ = 0;
    Count handler_threw_ = 0;
    Count held_back_ = 0;
    Count subscriptions_refused_ = 0;
    Count bad_subscriptions_ = 0;
    Count presence_refused_ = 0;
    Count routes_forgotten_ = 0;
    std::array<Count, kRefusals.size()> refused_{};
    std::array<Count, proto::kDecodeErrors> bad_{};
};

}  // namespace muster::node
