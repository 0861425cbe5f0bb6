// The folder of trusted keys.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "node/keys/key.hpp"

namespace muster::keys {

enum class Role : std::uint8_t { node, worker, observer, operator_ };

std::string_view to_string(Role role);

/// The owner of a key.
struct Identity {
    Role role = Role::node;
    std::string name;

    bool operator==(const Identity&) const = default;
    bool operator<(const Identity& other) const { return std::tie(role, name) < std::tie(other.role, other.name); }
};

/// "node/a"
std::string to_string(const Identity& identity);

/// The content of the folder when it was read: nodes/NAME.pub, workers/NAME.pub, observers/NAME.pub,
/// operators/NAME.pub.
struct Trusted {
    struct Keys {
        std::vector<PublicKey> curve;  // the current one first
        std::vector<PublicKey> sign;
    };
    std::map<PublicKey, Identity> owners;  // by CURVE key
    std::map<std::string, Keys> nodes;     // by name
    std::set<std::string> workers;         // their names

    /// Ignores files whose name does not end in .pub or begins with a dot. `others`: also read workers/, observers/ and
    /// operators/.
    ///
    /// What cannot be read is added to `problems`: bad_request, in one line that names the file or folder (overloaded,
    /// if the process has no more descriptors). The owner that such a file names, and all owners of such a folder, have
    /// the keys that they have in `before`. An owner without a file has none, whatever else cannot be read.
    static Trusted read(const std::string& folder, bool others, const Trusted& before, std::vector<Error>& problems);
};

/// A text that changes when the key file, or a file that read() uses, changes. Reads file times and sizes, no content.
std::string fingerprint_of(const std::string& key, const std::string& folder);

}  // namespace muster::keys
