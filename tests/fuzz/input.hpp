// The bytes of a fuzzer as a sequence of choices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster::fuzz {

/// Reads from the front. Beyond the end all choices are 0, so that every sequence of bytes means something.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}

    [[nodiscard]] bool empty() const { return at_ == end_; }
    std::uint8_t byte() { return empty() ? std::uint8_t{0} : *at_++; }
    bool flag() { return (byte() & 1) != 0; }
    /// 0 … n - 1; n is at most 256.
    std::size_t below(std::size_t n) { return byte() % n; }
    std::uint64_t word() {
        std::uint64_t value = 0;
        for (int i = 0; i < 8; ++i) value = value << 8 | byte();
        return value;
    }
    /// Mostly small, seldom at an edge, sometimes anything.
    std::uint64_t number() {
        const std::uint8_t kind = byte();
        if (kind < 192) return kind % 16;
        constexpr std::uint64_t kEdges[] = {127, 255, 256, 1024, 65535, 65536, 65537, 1u << 20};
        if (kind < 224) return kEdges[kind % 8];
        if (kind < 240) return UINT64_MAX - byte();
        return word();
    }
    template <class T>
    const T& pick(const std::vector<T>& list) {
        return list[below(std::min<std::size_t>(list.size(), 256))];
    }
    std::string_view bytes(std::size_t most) {
        const auto size = std::min<std::size_t>(most, static_cast<std::size_t>(end_ - at_));
        const std::string_view taken(reinterpret_cast<const char*>(at_), size);
        at_ += size;
        return taken;
    }
    std::string_view rest() { return bytes(static_cast<std::size_t>(end_ - at_)); }

private:
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

}  // namespace muster::fuzz
