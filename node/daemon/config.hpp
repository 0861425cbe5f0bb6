// The settings of musterd, from flags, environment and file.
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

/// Environment variables by name.
using Environment = std::map<std::string, std::string>;
/// The variables of this process whose names begin with MUSTER_.
Environment environment_of_process();

/// The name of this host; empty if it has none.
std::string host_name();

struct Loaded {
    Config config;
    std::string shown;        // output of --help or --version, to print instead of a start; empty: neither was given
    bool only_check = false;  // --check-config
    /// One line each, with the flag, the variable, or the file and line. Empty: `config` is valid.
    std::vector<std::string> problems;
};

/// A flag (--session-grace) overrides the environment (MUSTER_SESSION_GRACE; lists are separated by commas), which
/// overrides the TOML file that --config or MUSTER_CONFIG names (session_grace), which overrides the default.
/// Collects all problems instead of stopping at the first, so that --check-config can print them at once. Throws
/// std::system_error if there is no descriptor to read the file with.
Loaded load_config(int argc, const char* const* argv, const Environment& environment);

}  // namespace muster::daemon
