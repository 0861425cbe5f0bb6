// Statistics by name.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "proto/saturating.hpp"

namespace muster::cluster {

/// Steps count often, so a counter is found by the address of its name first: a cache of pointers into the map by name.
/// Names must be string literals, whose addresses never change. Equal literals at different addresses share a counter.
class Counters {
public:
    template <std::size_t N>
    void add(const char (&name)[N], std::uint64_t n = 1) {
        Cached& cached = cache_[slot_of(name)];
        if (cached.name != name) cached = {name, &by_name_[name]};
        *cached.count = proto::saturating_sum(*cached.count, n);
    }
    [[nodiscard]] const std::map<std::string, std::uint64_t>& by_name() const { return by_name_; }

private:
    struct Cached {
        const char* name = nullptr;
        std::uint64_t* count = nullptr;
    };
    static constexpr std::size_t kSlots = 256;
    static std::size_t slot_of(const char* name) {
        const auto address = reinterpret_cast<std::uintptr_t>(name);
        return (address ^ address >> 8) % kSlots;
    }

    std::map<std::string, std::uint64_t> by_name_;
    std::array<Cached, kSlots> cache_{};
};

}  // namespace muster::cluster
