// musterd's settings, wherever they come from.
#pragma once

#include <muster/node.hpp>

#include <functional>
#include <string>
#include <variant>

namespace muster::daemon {

struct Config {
    Node::Options node{.busy_poll = std::chrono::microseconds(0)};
    std::string http;  // "host:port"; empty: no HTTP
    std::string log_level = "info";
    std::string log_format = "text";
};

/// What --help or --version print, instead of a start.
struct Shown {
    std::string text;
};

/// getenv, or a test's own.
using Environment = std::function<const char*(const char*)>;

/// A setting comes from its flag (--session-grace), then the environment
/// (MUSTER_SESSION_GRACE; lists with commas), then the TOML file that --config or
/// MUSTER_CONFIG names (session_grace), then its default.
/// Errors: bad_request, one line that names the flag, variable, or file and line.
Result<std::variant<Config, Shown>> load_config(int argc, const char* const* argv, const Environment& environment);

}  // namespace muster::daemon
