// The folder of the keys that are trusted.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/keys/key.hpp"

namespace muster::keys {

enum class Role : std::uint8_t { node, worker, observer };

std::string_view to_string(Role role);

/// Whose key it is.
struct Identity {
    Role role = Role::node;
    std::string name;

    auto operator<=>(const Identity&) const = default;
};

/// "node/a"
std::string to_string(const Identity& identity);

/// The folder as it was when it was read: nodes/NAME.pub, workers/NAME.pub, observers/NAME.pub.
struct Trusted {
    struct Keys {
        std::vector<PublicKey> curve;  // the current one first
        std::vector<PublicKey> sign;
    };
    std::map<PublicKey, Identity> owners;
    std::map<std::string, Keys> nodes;

    /// Files whose name does not end in .pub, or begins with a dot, are not looked at.
    /// `others`: also workers and observers.
    /// Errors: bad_request, one line that names the file.
    static Result<Trusted> read(const std::string& folder, bool others);
};

/// Changes whenever this file, or one that read() looks at, does. Cheap.
std::string fingerprint_of(const std::string& key, const std::string& folder);

}  // namespace muster::keys
