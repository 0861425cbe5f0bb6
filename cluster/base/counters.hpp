// What a core has counted, by name.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace muster::cluster {

/// Counting happens in every step, so the name is looked up by the address of its literal first.
class Counters {
public:
    template <std::size_t N>
    void add(const char (&name)[N], std::uint64_t n = 1) {
        Known& known = known_[place_of(name)];
        if (known.name != name) known = {name, &by_name_[name]};
        *known.count += n;
    }
    [[nodiscard]] const std::map<std::string, std::uint64_t>& by_name() const { return by_name_; }

private:
    struct Known {
        const char* name = nullptr;
        std::uint64_t* count = nullptr;
    };
    static constexpr std::size_t kKnown = 256;
    static std::size_t place_of(const char* name) {
        const auto address = reinterpret_cast<std::uintptr_t>(name);
        return (address ^ address >> 8) % kKnown;
    }

    std::map<std::string, std::uint64_t> by_name_;
    std::array<Known, kKnown> known_{};
};

}  // namespace muster::cluster
