// Counters of a node's sockets and handlers; the core has its own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "node/io/connection_counts.hpp"
#include "node/io/log_queue.hpp"
#include "proto/codec.hpp"

namespace muster::node {

/// Why a handshake or a message was refused.
enum class Refusal : std::uint8_t {
    unknown_key,   // handshake: the key is not trusted
    wrong_role,    // handshake: the key may not connect to this socket
    no_key,        // handshake: the client does not use CURVE
    other_server,  // handshake: made for another node's key, or damaged
    broken,        // handshake: malformed, or not finished in time
    no_user,       // message: its connection was never admitted
    removed_key,   // message: the key of its connection is no longer trusted
};
/// The counter of each.
/// Names of the counters, by Refusal.
inline constexpr std::array kRefusals{"refused_handshakes_unknown_key", "refused_handshakes_wrong_role",
                                      "refused_handshakes_no_key",      "refused_handshakes_other_server",
                                      "refused_handshakes_broken",      "refused_messages_no_user",
                                      "refused_messages_removed_key"};
/// The counter of each proto::DecodeError.
inline constexpr std::array kBadFrames{"bad_frames_too_large",   "bad_frames_malformed",    "bad_frames_trailing_bytes",
                                       "bad_frames_wrong_major", "bad_frames_unknown_type", "bad_frames_bad_field"};
static_assert(kBadFrames.size() == proto::kDecodeErrors);

/// Who can use a node's sockets.
enum class Secured : std::uint8_t {
    curve,     // clients whose keys are trusted
    loopback,  // every process on this machine
    insecure,  // everyone who can reach the ports
};

/// Thread-safe.
class NodeCounters {
public:
    void received() { ++received_; }
    void sent() { ++sent_; }
    void bad(proto::DecodeError error) { ++bad_[static_cast<std::size_t>(error)]; }
    void bad_parts() { ++bad_parts_; }
    void unsent() { ++unsent_; }
    void held_back() { ++log.held_back; }
    void subscriptions_refused(std::size_t topics) { subscriptions_refused_ += topics; }
    void bad_subscription() { ++bad_subscriptions_; }
    void presence_refused() { ++presence_refused_; }
    void connections_forgotten(std::size_t count) { connections_forgotten_ += count; }
    [[nodiscard]] bool has_keys() const { return secured_ == Secured::curve; }
    void secured(Secured how) { secured_ = how; }
    void handler_threw() { ++handler_threw_; }
    /// Files and folders of keys that cannot be used now.
    void keys_stale(std::size_t count) { keys_stale_ = count; }
    /// The system refused a descriptor, a thread or memory, with this error number.
    void resource_refused(int error) {
        last_resource_error_ = error;
        ++resources_refused_;
    }
    /// How often, and the last error number.
    [[nodiscard]] std::pair<std::uint64_t, int> resources_refused() const {
        return {resources_refused_, last_resource_error_};
    }
    void refused(Refusal why) { ++refused_[static_cast<std::size_t>(why)]; }

    void add_to(std::map<std::string, std::uint64_t>& counters) const {
        counters["frames_received"] = received_;
        counters["frames_sent"] = sent_;
        counters["frames_not_sent"] = unsent_;
        counters["bad_frames_parts"] = bad_parts_;
        counters["keys_stale"] = keys_stale_;
        counters["handler_exceptions"] = handler_threw_ + log.threw;
        counters["log_lines_dropped"] = log.dropped;
        counters["log_lines_held_back"] = log.held_back;
        counters["subscriptions_refused"] = subscriptions_refused_;
        counters["bad_subscriptions"] = bad_subscriptions_;
        counters["presence_refused"] = presence_refused_;
        counters["resources_refused"] = resources_refused_;
        counters["routes_forgotten"] = connections_forgotten_;
        connections.add_to(counters);
        counters["security_curve"] = secured_ == Secured::curve ? 1 : 0;
        counters["security_insecure"] = secured_ == Secured::insecure ? 1 : 0;
        for (std::size_t i = 0; i < refused_.size(); ++i) counters[kRefusals[i]] = refused_[i];
        for (std::size_t i = 0; i < bad_.size(); ++i) counters[kBadFrames[i]] = bad_[i];
    }

    ConnectionCounts connections;
    LogCounts log;

private:
    using Count = std::atomic<std::uint64_t>;
    std::atomic<Secured> secured_ = Secured::loopback;
    Count received_ = 0;
    Count sent_ = 0;
    Count unsent_ = 0;
    Count bad_parts_ = 0;
    Count handler_threw_ = 0;
    Count keys_stale_ = 0;
    Count subscriptions_refused_ = 0;
    Count bad_subscriptions_ = 0;
    Count presence_refused_ = 0;
    Count connections_forgotten_ = 0;
    Count resources_refused_ = 0;
    std::atomic<int> last_resource_error_ = 0;
    std::array<Count, kRefusals.size()> refused_{};
    std::array<Count, proto::kDecodeErrors> bad_{};
};

}  // namespace muster::node
