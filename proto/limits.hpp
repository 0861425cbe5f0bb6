// Limits of the protocol. The decoder drops a frame that exceeds one before it
// allocates memory for it. PROTOCOL.md, section "Limits".
#pragma once

#include <cstddef>
#include <cstdint>

namespace muster::limits {

inline constexpr std::size_t kFrame = 1 << 20;            // bytes of one message
inline constexpr std::uint64_t kHops = 8;                 // nodes that forward one message
inline constexpr std::size_t kSignature = 64;             // bytes of an Ed25519 signature
inline constexpr std::size_t kBeat = 1024;                // bytes of a sealed heartbeat
inline constexpr std::size_t kGroupPart = 255;            // bytes of a store or feature
inline constexpr std::size_t kName = 64;                  // bytes of a node or worker name
inline constexpr std::size_t kScope = 64;                 // bytes of a scope
inline constexpr std::size_t kAddress = 255;              // bytes of "host:port"
inline constexpr std::size_t kText = 1024;                // bytes of an error text
inline constexpr std::size_t kMetaEntries = 16;           // pairs of one member's metadata
inline constexpr std::size_t kMetaBytes = 255;            // bytes of one key or value
inline constexpr std::size_t kData = 512 * 1024;          // bytes of a notification's data
inline constexpr std::size_t kDataDepth = 32;             // nesting of a notification's data
inline constexpr std::size_t kItems = 65536;              // elements of one list in a message
inline constexpr std::size_t kDepth = 10;                 // nesting of a message
inline constexpr std::size_t kMembersPerCall = 65536;     // members of one join or leave
inline constexpr std::size_t kMembersPerFrame = 1 << 18;  // members in one Deltas or SnapshotChunk
inline constexpr std::size_t kBundle = 256;               // messages in one bundle
inline constexpr std::uint64_t kLines = 65536;            // lines of one connection, over its whole time
inline constexpr std::size_t kNodesInWelcome = 64;        // addresses in one WorkerWelcome
inline constexpr std::size_t kChunkBytes = 192 * 1024;    // target size of one part of a long reply

}  // namespace muster::limits
