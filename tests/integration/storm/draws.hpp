// What liars draw at random: sizes, names and contents. The same seed gives the same draws.
#pragma once

#include <muster/types.hpp>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "proto/limits.hpp"

namespace muster::test {

class Draws {
public:
    explicit Draws(std::uint64_t seed) : random_(seed) {}

    std::uint64_t any() { return random_(); }
    /// 0 … n - 1; any number for 0.
    std::uint64_t below(std::uint64_t n) { return n == 0 ? any() : any() % n; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    /// Small numbers are as likely as large ones.
    std::uint64_t of_any_size(std::uint64_t most) { return 1 + below(1 + below(most)); }
    /// Numbers at and near what a field can have, too.
    std::uint64_t number() {
        if (one_in(3)) return UINT64_MAX - below(3);
        return any() >> below(64);
    }
    template <class T>
    const T& pick(const std::vector<T>& from) {
        return from[below(from.size())];
    }

    std::string bytes(std::size_t count) {
        std::string text(count, '\0');
        for (char& c : text) c = static_cast<char>(any());
        return text;
    }
    Group group() { return {"storm", std::to_string(below(one_in(4) ? 1'000'000 : 8))}; }
    Meta meta() {
        Meta meta;
        if (one_in(2)) return meta;
        for (std::uint64_t i = below(limits::kMetaEntries + 1); i > 0; --i)
            meta["k" + std::to_string(i)] =
                std::string(below(limits::kMetaBytes + 1), static_cast<char>('a' + below(26)));
        return meta;
    }
    Data data() {
        const std::uint64_t size = of_any_size(limits::kData - 5);
        std::string head("\xc6\0\0\0\0", 5);
        for (unsigned i = 0; i < 4; ++i) head[1 + i] = static_cast<char>(size >> (24 - 8 * i) & 0xff);
        return {head + std::string(size, 'x')};
    }
    /// A frame that was cut, lengthened or changed in some places.
    std::string spoilt(std::string frame) {
        if (frame.empty() || one_in(8)) return bytes(below(300));
        if (one_in(4)) frame.resize(below(frame.size()) + 1);
        if (one_in(8)) frame += bytes(of_any_size(2 * limits::kFrame));
        for (std::uint64_t changes = below(8); changes > 0; --changes)
            frame[below(std::min<std::size_t>(frame.size(), one_in(2) ? 64 : frame.size()))] = static_cast<char>(any());
        return frame;
    }

private:
    std::mt19937_64 random_;
};

}  // namespace muster::test
