// Checks of what callers give, with the error texts. The client, the node and the core use the same functions, so a
// caller reads the same text wherever its mistake is found.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <string>

namespace muster::proto {

/// Why the argument breaks a limit (PROTOCOL.md, "4. Limits"), and what is allowed; empty if it is valid.
std::string why_invalid(const Group& group);
std::string why_invalid(const Data& data);
std::string why_invalid(const Meta& meta);
std::string why_invalid(NotificationKind kind);
/// The number of members that one join or leave names.
std::string why_invalid_count(std::uint64_t count);

}  // namespace muster::proto
