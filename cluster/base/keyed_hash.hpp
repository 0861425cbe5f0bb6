// The hash of the indexes whose keys other nodes and workers choose.
#pragma once

#include <muster/group.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cluster/base/random.hpp"

namespace muster::cluster {

/// A hash of a sequence of texts and numbers, of which FlatIndex uses the upper half. Whoever does not know the secret
/// can choose two sequences with the same upper half only by luck (2^-32), so nobody can make many keys share a cell:
/// the multilinear family of Lemire and Kaser, "Strongly universal string hashing is fast". With XXH64 or FNV-1a and a
/// salt, keys that collide without the salt would collide with it.
class KeyedHash {
public:
    explicit KeyedHash(std::uint64_t secret) : factors_(secret), sum_(factors_.next()) {}

    KeyedHash& add(std::string_view text) {
        add(text.size());
        while (!text.empty()) {
            std::uint32_t word = 0;
            const std::size_t size = text.size() < sizeof word ? text.size() : sizeof word;
            std::memcpy(&word, text.data(), size);
            sum_ += factors_.next() * word;
            text.remove_prefix(size);
        }
        return *this;
    }
    KeyedHash& add(std::size_t number) {
        sum_ += factors_.next() * static_cast<std::uint32_t>(number);
        return *this;
    }
    [[nodiscard]] std::uint64_t value() const { return sum_; }

private:
    Random factors_;
    std::uint64_t sum_;
};

inline std::uint64_t keyed_hash(const Group& group, std::uint64_t secret) {
    return KeyedHash(secret).add(group.store).add(group.feature).value();
}

}  // namespace muster::cluster
