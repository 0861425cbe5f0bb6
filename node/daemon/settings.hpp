// The list of all settings, for flags, environment and file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "node/daemon/config.hpp"

namespace muster::daemon {

struct Setting {
    const char* key;   // session_grace: --session-grace, MUSTER_SESSION_GRACE
    const char* type;  // for --help; empty: a switch, which needs no value
    const char* help;
    bool list;  // may be given more than once
    /// Sets the values. Returns what is wrong and what to give instead, or nothing on success.
    std::optional<std::string> (*apply)(Config& config, const std::vector<std::string>& values);

    [[nodiscard]] bool is_switch() const { return *type == '\0'; }
    [[nodiscard]] std::string flag() const;
    [[nodiscard]] std::string variable() const;
};

std::span<const Setting> settings();

}  // namespace muster::daemon
