// What every message begins with. PROTOCOL.md, "The header".
#pragma once

#include <cstdint>
#include <string>

namespace muster::proto {

/// Major version of the protocol. Messages of another major are refused; unknown fields of this major are skipped.
inline constexpr std::uint64_t kMajor = 1;

/// The first fields of every message. The meaning of `origin`, `incarnation` and `seq` depends on the direction.
struct Header {
    std::string scope;
    std::string origin;             // name of the sending node or worker
    std::uint64_t incarnation = 0;  // a node's incarnation, or a worker's session token
    std::uint64_t seq = 0;

    bool operator==(const Header&) const = default;
};

}  // namespace muster::proto
