// What can be set, once for all the places a setting can come from.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "node/daemon/config.hpp"

namespace muster::daemon {

struct Setting {
    const char* key;   // session_grace: in the file; --session-grace; MUSTER_SESSION_GRACE
    const char* type;  // as --help shows it; empty: a switch, which needs no value
    const char* help;
    bool list;  // may be given more than once
    /// What is wrong with the values, and what to give; empty when they were taken.
    std::optional<std::string> (*apply)(Config& config, const std::vector<std::string>& values);

    [[nodiscard]] bool is_switch() const { return *type == '\0'; }
    [[nodiscard]] std::string flag() const;
    [[nodiscard]] std::string variable() const;
};

std::span<const Setting> settings();

}  // namespace muster::daemon
