// XXH64 written from its specification, to check the library's group keys against.
#pragma once

#include <cstdint>
#include <string_view>

namespace muster::test {

class Xxh64 {
public:
    static std::uint64_t of(std::string_view text, std::uint64_t seed = 0) {
        std::uint64_t hash = seed + kPrime5;
        std::size_t at = 0;
        if (text.size() >= 32) {
            std::uint64_t lanes[4] = {seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
            for (; text.size() - at >= 32; at += 32)
                for (std::size_t i = 0; i < 4; ++i) lanes[i] = round(lanes[i], read(text, at + 8 * i, 8));
            hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
            for (const auto lane : lanes) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
        }
        hash += text.size();
        for (; text.size() - at >= 8; at += 8)
            hash = rotate(hash ^ round(0, read(text, at, 8)), 27) * kPrime1 + kPrime4;
        if (text.size() - at >= 4) {
            hash = rotate(hash ^ read(text, at, 4) * kPrime1, 23) * kPrime2 + kPrime3;
            at += 4;
        }
        for (; at < text.size(); ++at) hash = rotate(hash ^ read(text, at, 1) * kPrime5, 11) * kPrime1;
        hash = (hash ^ hash >> 33) * kPrime2;
        hash = (hash ^ hash >> 29) * kPrime3;
        return hash ^ hash >> 32;
    }

private:
    static constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F,
                                   kPrime3 = 0x165667B19E3779F9, kPrime4 = 0x85EBCA77C2B2AE63,
                                   kPrime5 = 0x27D4EB2F165667C5;

    static std::uint64_t rotate(std::uint64_t value, int by) { return value << by | value >> (64 - by); }
    static std::uint64_t round(std::uint64_t lane, std::uint64_t input) {
        return rotate(lane + input * kPrime2, 31) * kPrime1;
    }
    static std::uint64_t read(std::string_view text, std::size_t at, std::size_t size) {  // little-endian
        std::uint64_t value = 0;
        for (std::size_t i = size; i > 0; --i) value = value << 8 | static_cast<unsigned char>(text[at + i - 1]);
        return value;
    }
};

}  // namespace muster::test
