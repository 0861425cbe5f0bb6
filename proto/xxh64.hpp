// XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), for group keys. Written here because a worker
// would need the library for this one function; proto_test compares it with the library.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace muster::proto {

class Xxh64 {
public:
    static std::uint64_t of(std::string_view text) {
        std::uint64_t hash = kPrime5;
        std::size_t at = 0;
        if (text.size() >= 32) {
            std::uint64_t lanes[4] = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
            for (; text.size() - at >= 32; at += 32)
                for (std::size_t i = 0; i < 4; ++i) lanes[i] = round(lanes[i], read<8>(text, at + 8 * i));
            hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
            for (const auto lane : lanes) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
        }
        hash += text.size();
        for (; text.size() - at >= 8; at += 8)
            hash = std::rotl(hash ^ round(0, read<8>(text, at)), 27) * kPrime1 + kPrime4;
        if (text.size() - at >= 4) {
            hash = std::rotl(hash ^ read<4>(text, at) * kPrime1, 23) * kPrime2 + kPrime3;
            at += 4;
        }
        for (; at < text.size(); ++at) hash = std::rotl(hash ^ read<1>(text, at) * kPrime5, 11) * kPrime1;
        hash = (hash ^ hash >> 33) * kPrime2;
        hash = (hash ^ hash >> 29) * kPrime3;
        return hash ^ hash >> 32;
    }

private:
    static constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F,
                                   kPrime3 = 0x165667B19E3779F9, kPrime4 = 0x85EBCA77C2B2AE63,
                                   kPrime5 = 0x27D4EB2F165667C5;

    static std::uint64_t round(std::uint64_t lane, std::uint64_t input) {
        return std::rotl(lane + input * kPrime2, 31) * kPrime1;
    }
    /// A little-endian number of `Size` bytes, on every machine.
    template <std::size_t Size>
    static std::uint64_t read(std::string_view text, std::size_t at) {
        std::uint64_t value = 0;
        std::memcpy(&value, text.data() + at, Size);
        return std::endian::native == std::endian::big ? __builtin_bswap64(value) : value;
    }
};

}  // namespace muster::proto
