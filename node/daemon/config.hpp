// musterd's settings, wherever they come from.
#pragma once

#include <muster/node.hpp>

#include <map>
#include <string>
#include <vector>

namespace muster::daemon {

struct Config {
    Node::Options node{.timing = {.busy_poll = std::chrono::microseconds(0)}};
    std::string http;  // "host:port"; empty: no HTTP
    std::string log_level = "info";
    std::string log_format = "text";
};

/// Variables by name.
using Environment = std::map<std::string, std::string>;
/// Those of the process that begin with MUSTER_.
Environment environment_of_process();

struct Loaded {
    Config config;
    std::string shown;        // what --help or --version print, instead of a start; empty: neither was asked for
    bool only_check = false;  // --check-config
    /// Each in one line that names the flag, variable, or file and line; none: the config is good.
    std::vector<std::string> problems;
};

/// A setting comes from its flag (--session-grace), then the environment
/// (MUSTER_SESSION_GRACE; lists with commas), then the TOML file that --config or
/// MUSTER_CONFIG names (session_grace), then its default.
Loaded load_config(int argc, const char* const* argv, const Environment& environment);

}  // namespace muster::daemon
