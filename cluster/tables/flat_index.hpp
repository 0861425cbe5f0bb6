// Finds small numbers by a hash: what they stand for is kept elsewhere, and who
// asks compares it. Open addressing with linear probing. It cannot be walked,
// so that the order of the hashes never shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cluster/check.hpp"

namespace muster::cluster {

/// Hashes must be spread over all bits; where others choose what is hashed, with a seed that they do not know.
class FlatIndex {
public:
    static constexpr std::uint32_t kNone = UINT32_MAX;

    /// The number under this hash for which `same` is true, or kNone.
    template <class Same>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Same same) const {
        if (cells_.empty()) return kNone;
        const auto tag = tag_of(hash);
        for (std::size_t at = tag & mask(); cells_[at].value != kNone; at = (at + 1) & mask())
            if (cells_[at].tag == tag && same(cells_[at].value)) return cells_[at].value;
        return kNone;
    }

    /// Adds a number, not kNone, that does not stand here yet.
    void insert(std::uint64_t hash, std::uint32_t value) {
        if (size_ + size_ / 2 >= cells_.size()) resize(cells_.empty() ? kLeast : cells_.size() * 2);
        place({value, tag_of(hash)});
        ++size_;
    }

    /// Removes a number that stands here under this hash.
    void erase(std::uint64_t hash, std::uint32_t value) {
        std::size_t hole = cell_of(hash, value);
        // What probed past the hole moves into it, so that no search ends early.
        for (std::size_t at = (hole + 1) & mask(); cells_[at].value != kNone; at = (at + 1) & mask()) {
            const std::size_t from_home = (at - cells_[at].tag) & mask();
            if (from_home < ((at - hole) & mask())) continue;
            cells_[hole] = cells_[at];
            hole = at;
        }
        cells_[hole] = {};
        --size_;
        if (cells_.size() > kLeast && size_ < cells_.size() / 8) resize(cells_.size() / 2);
    }

    /// Puts `value` in the place of `old`, which stands here under this hash.
    void replace(std::uint64_t hash, std::uint32_t old, std::uint32_t value) {
        cells_[cell_of(hash, old)].value = value;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

private:
    static constexpr std::size_t kLeast = 8;  // cells; always a power of two, and a third of them is free

    struct Cell {
        std::uint32_t value = kNone;
        std::uint32_t tag = 0;
    };

    static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
    [[nodiscard]] std::size_t mask() const { return cells_.size() - 1; }

    [[nodiscard]] std::size_t cell_of(std::uint64_t hash, std::uint32_t value) const {
        MUSTER_CHECK(size_ > 0);
        std::size_t at = tag_of(hash) & mask();
        while (cells_[at].value != value) {
            MUSTER_CHECK(cells_[at].value != kNone);
            at = (at + 1) & mask();
        }
        return at;
    }
    void place(Cell cell) {
        std::size_t at = cell.tag & mask();
        while (cells_[at].value != kNone) at = (at + 1) & mask();
        cells_[at] = cell;
    }
    void resize(std::size_t cells) {
        for (const Cell& cell : std::exchange(cells_, std::vector<Cell>(cells)))
            if (cell.value != kNone) place(cell);
    }

    std::vector<Cell> cells_;
    std::size_t size_ = 0;
};

}  // namespace muster::cluster
