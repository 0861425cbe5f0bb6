// FNV-1a with 64 bits: the hash of texts in digests (PROTOCOL.md, "Snapshots") and the checksum of a worker's state
// file.
#pragma once

#include <cstdint>
#include <string_view>

namespace muster::proto {

inline constexpr std::uint64_t kFnvBasis = 0xcbf29ce484222325u;

/// The hash of `bytes` behind those whose hash is `hash`. A change of one byte always changes the result.
constexpr std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = kFnvBasis) {
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return hash;
}

}  // namespace muster::proto
