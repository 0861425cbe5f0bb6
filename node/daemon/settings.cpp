#include "node/daemon/settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>

#include "node/io/address.hpp"
#include "node/queue_limits.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

namespace muster::daemon {
namespace {

using Values = std::vector<std::string>;
using Wrong = std::optional<std::string>;

std::optional<std::uint64_t> number(const std::string& text, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || value > most)
        return std::nullopt;
    return value;
}

Wrong set_milliseconds(std::chrono::milliseconds& to, const std::string& text) {
    constexpr std::uint64_t kHour = 3'600'000;
    const auto value = number(text, kHour);
    if (!value) return "\"" + text + "\" is not a valid time: give milliseconds from 0 to 3600000";
    to = std::chrono::milliseconds(*value);
    return std::nullopt;
}

Wrong set_busy_poll(Config& config, const Values& values) {
    const auto value = number(values.back(), 1'000'000);
    if (!value) return "\"" + values.back() + "\" is not a valid time: give microseconds from 0 to 1000000";
    config.node.timing.busy_poll = std::chrono::microseconds(*value);
    return std::nullopt;
}

Wrong set_limit(std::size_t& to, const std::string& text, std::size_t least = 1) {
    constexpr auto kMost = std::min(std::uint64_t{1} << 40, std::uint64_t{std::numeric_limits<std::size_t>::max()});
    const auto value = number(text, kMost);
    if (!value || *value < least)
        return "\"" + text + "\" is not a valid limit: give a number from " + std::to_string(least) + " to " +
               std::to_string(kMost);
    to = static_cast<std::size_t>(*value);
    return std::nullopt;
}

Wrong set_policy(OverflowPolicy& to, const std::string& text) {
    const auto policy = parse_overflow_policy(text);
    if (!policy) return policy.error().text;
    to = *policy;
    return std::nullopt;
}

Wrong set_link_policy(Config& config, const Values& values) {
    if (values.back() == to_string(OverflowPolicy::disconnect))
        return std::string("\"disconnect\" is only for workers: give drop_oldest or refuse_newest");
    return set_policy(config.node.queues.link.policy, values.back());
}

Wrong set_port(std::uint16_t& to, const std::string& text) {
    const auto value = number(text, 65535);
    if (!value) return "\"" + text + "\" is no port: give a number from 1 to 65535, or 0 for any free one";
    to = static_cast<std::uint16_t>(*value);
    return std::nullopt;
}

Wrong set_address(std::string& to, const std::string& text) {
    auto plain = node::plain_address(text);
    if (const auto address = node::parse_address(plain); !address) return address.error().text;
    to = std::move(plain);
    return std::nullopt;
}

Wrong set_path(std::string& to, const std::string& text) {
    if (text.find('\0') != std::string::npos)
        return "a path has no NUL character: the system would ignore what follows it";
    to = text;
    return std::nullopt;
}

Wrong set_switch(bool& to, const std::string& text) {
    const bool on = text.empty() || text == "true" || text == "1";
    if (!on && text != "false" && text != "0") return "\"" + text + "\" is not a valid switch: give true or false";
    to = on;
    return std::nullopt;
}

Wrong set_seeds(Config& config, const Values& values) {
    config.node.seeds.clear();
    for (const auto& value : values) {
        auto seeds = node::split_addresses(value);
        if (seeds.empty()) return node::parse_address(value).error().text;
        for (auto& seed : seeds) {
            const auto named = node::parse_named_address(seed);
            if (!named) return named.error().text;
            if (node::parse_address(named->address)->port == 0)
                return "\"" + seed + "\" has port 0: give the port that the seed listens on";
            config.node.seeds.push_back(std::move(seed));
        }
    }
    return std::nullopt;
}

Wrong set_name(Config& config, const Values& values) {
    if (!is_valid_name(values.back()))
        return "\"" + values.back() +
               "\" is not a valid node name: give 1 to 64 of [A-Za-z0-9._-], beginning with a letter or digit";
    config.node.name = values.back();
    return std::nullopt;
}

Wrong set_scope(Config& config, const Values& values) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
    const auto& scope = values.back();
    if (scope.empty() || scope.size() > limits::kScope || !is_utf8(scope) ||
        std::any_of(scope.begin(), scope.end(), is_control))
        return "\"" + scope + "\" is not a valid scope: give 1 to 64 bytes of UTF-8 without control characters";
    config.node.scope = scope;
    return std::nullopt;
}

Wrong set_one_of(std::string& to, const std::string& text, std::initializer_list<const char*> allowed) {
    std::string all;
    for (const char* one : allowed) {
        if (text == one) {
            to = text;
            return std::nullopt;
        }
        all += (all.empty() ? "" : ", ") + std::string(one);
    }
    return "\"" + text + "\" is not one of " + all;
}

constexpr std::array kSettings{
    Setting{"name", "NAME", "unique name of this node in the cluster (default: the host's name)", false, set_name},
    Setting{"listen", "HOST:PORT",
            "address for workers and for other nodes' first contact (default 127.0.0.1:7100; port 0: any free port)",
            false, [](Config& c, const Values& v) { return set_address(c.node.listen, v.back()); }},
    Setting{"advertise", "HOST:PORT", "address that is announced to others (default: the same as --listen)", false,
            [](Config& c, const Values& v) { return set_address(c.node.advertise, v.back()); }},
    Setting{"seed", "HOST:PORT", "another node of the cluster, or NAME@HOST:PORT; may be given more than once", true,
            set_seeds},
    Setting{"key", "FILE", "this node's own NAME.key, made by muster keygen; requires --keys", false,
            [](Config& c, const Values& v) { return set_path(c.node.security.key_file, v.back()); }},
    Setting{"keys", "DIR", "folder of trusted keys, with nodes/, workers/, observers/, operators/; requires --key",
            false, [](Config& c, const Values& v) { return set_path(c.node.security.keys_dir, v.back()); }},
    Setting{"insecure", "", "without keys, also listen (and with --http, serve) on addresses other than loopback",
            false, [](Config& c, const Values& v) { return set_switch(c.node.security.insecure, v.back()); }},
    Setting{"scope", "SCOPE", "nodes and workers of different scopes share nothing (default \"default\")", false,
            set_scope},
    Setting{"control_port", "PORT", "port for messages between nodes (default 0: any free port below 32768)", false,
            [](Config& c, const Values& v) { return set_port(c.node.control_port, v.back()); }},
    Setting{"gossip_port", "PORT", "port for publications to other nodes (default 0: any free port below 32768)", false,
            [](Config& c, const Values& v) { return set_port(c.node.gossip_port, v.back()); }},
    Setting{"session_grace", "MS", "grace period: how long a lost worker keeps its members (default 1000)", false,
            [](Config& c, const Values& v) { return set_milliseconds(c.node.timing.session_grace, v.back()); }},
    Setting{"drain_timeout", "MS", "how long a node that ends waits for its workers to go to others (default 10000)",
            false, [](Config& c, const Values& v) { return set_milliseconds(c.node.timing.drain_timeout, v.back()); }},
    Setting{"handover_window", "MS",
            "how long notifications are remembered for workers whose node has died (default 30000)", false,
            [](Config& c, const Values& v) { return set_milliseconds(c.node.timing.handover_window, v.back()); }},
    Setting{"ready_wait", "MS", "how long to wait for seeds that do not answer, before serving workers (default 3000)",
            false, [](Config& c, const Values& v) { return set_milliseconds(c.node.timing.ready_wait, v.back()); }},
    Setting{"backlog_items", "N", "limit of a worker's unacknowledged stream items, at least 16 (default 65536)", false,
            [](Config& c, const Values& v) {
                return set_limit(c.node.queues.backlog.items, v.back(), node::kLeastQueueItems);
            }},
    Setting{"backlog_bytes", "BYTES", "the same limit in bytes, at least 4194304 (default 67108864)", false,
            [](Config& c, const Values& v) {
                return set_limit(c.node.queues.backlog.bytes, v.back(), node::kLeastQueueBytes);
            }},
    Setting{"backlog_policy", "POLICY",
            "when a backlog is full: drop_oldest, refuse_newest or disconnect (default drop_oldest)", false,
            [](Config& c, const Values& v) { return set_policy(c.node.queues.backlog.policy, v.back()); }},
    Setting{"link_items", "N", "limit of the queue to one other node, in items, at least 16 (default 65536)", false,
            [](Config& c, const Values& v) {
                return set_limit(c.node.queues.link.items, v.back(), node::kLeastQueueItems);
            }},
    Setting{"link_bytes", "BYTES", "the same limit in bytes, at least 4194304 (default 67108864)", false,
            [](Config& c, const Values& v) {
                return set_limit(c.node.queues.link.bytes, v.back(), node::kLeastQueueBytes);
            }},
    Setting{"link_policy", "POLICY",
            "when that queue is full: drop_oldest, or refuse_newest: the whole notify call (default drop_oldest)",
            false, set_link_policy},
    Setting{"link_retention", "MS", "how long that queue is kept for a node that is down (default 300000)", false,
            [](Config& c, const Values& v) { return set_milliseconds(c.node.timing.link_retention, v.back()); }},
    Setting{"connections", "N", "limit of open connections to one port, at least 16 (default 16384)", false,
            [](Config& c, const Values& v) {
                return set_limit(c.node.limits.connections, v.back(), node::kLeastConnections);
            }},
    Setting{"connection_bytes", "BYTES",
            "limit of bytes in one connection, per direction, at least 4194304 (default 268435456)", false,
            [](Config& c, const Values& v) {
                return set_limit(c.node.limits.connection_bytes, v.back(), node::kLeastQueueBytes);
            }},
    Setting{"memory", "BYTES",
            "limit of what workers and other nodes can make the node keep, at least 67108864 (default a quarter of the "
            "memory of the machine or cgroup)",
            false,
            [](Config& c, const Values& v) { return set_limit(c.node.limits.memory, v.back(), node::kLeastMemory); }},
    Setting{"workers", "N", "limit of connected workers (default 65536)", false,
            [](Config& c, const Values& v) { return set_limit(c.node.limits.workers, v.back()); }},
    Setting{"worker_members", "N", "limit of members of one worker (default 1048576)", false,
            [](Config& c, const Values& v) { return set_limit(c.node.limits.worker_members, v.back()); }},
    Setting{"worker_groups", "N", "limit of groups that the members of one worker are in (default 65536)", false,
            [](Config& c, const Values& v) { return set_limit(c.node.limits.worker_groups, v.back()); }},
    Setting{"worker_bytes", "BYTES", "limit of bytes of these groups' names and the metadata (default 67108864)", false,
            [](Config& c, const Values& v) { return set_limit(c.node.limits.worker_bytes, v.back()); }},
    Setting{"worker_watches", "N", "limit of watches of one worker (default 1024)", false,
            [](Config& c, const Values& v) { return set_limit(c.node.limits.worker_watches, v.back()); }},
    Setting{"worker_requests", "N", "limit of unanswered requests of one worker, at least 1024 (default 4096)", false,
            [](Config& c, const Values& v) {
                return set_limit(c.node.limits.worker_requests, v.back(), node::kLeastRequests);
            }},
    Setting{"peers", "N", "limit of other nodes; dead ones make room (default 4096)", false,
            [](Config& c, const Values& v) { return set_limit(c.node.limits.peers, v.back()); }},
    Setting{"busy_poll", "US", "how long the node polls after traffic, for lower latency (default 0)", false,
            set_busy_poll},
    Setting{"http", "HOST:PORT",
            "serve the status page, /healthz, /readyz, /status and /metrics, without keys (default: off)", false,
            [](Config& c, const Values& v) { return set_address(c.http, v.back()); }},
    Setting{"log_level", "LEVEL", "debug, info, warn or error (default info)", false,
            [](Config& c, const Values& v) {
                return set_one_of(c.log_level, v.back(), {"debug", "info", "warn", "error"});
            }},
    Setting{"log_format", "FORMAT", "text or json (default text)", false,
            [](Config& c, const Values& v) {
                return set_one_of(c.log_format, v.back(), {"text", "json"});
            }},
};

}  // namespace

std::span<const Setting> settings() {
    return kSettings;
}

std::string Setting::flag() const {
    std::string text = "--" + std::string(key);
    std::replace(text.begin(), text.end(), '_', '-');
    return text;
}

std::string Setting::variable() const {
    std::string text = "MUSTER_";
    for (const char* c = key; *c != '\0'; ++c) text += *c == '_' ? '_' : static_cast<char>(*c - 'a' + 'A');
    return text;
}

}  // namespace muster::daemon
