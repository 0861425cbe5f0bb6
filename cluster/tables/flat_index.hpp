// A hash table of 32-bit numbers. The objects behind the numbers are kept elsewhere, and the caller compares them.
//
// Open addressing with linear probing. A cell is 8 bytes: the number and the upper half of its hash. Nothing can walk
// the table, so the order of the hashes cannot show in what the core does. The containers of the standard library
// either have a visible order of hashes or need a search through a tree of nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cluster/check.hpp"

namespace muster::cluster {

/// The upper half of a hash chooses the cell, so it must be well mixed. If other nodes or workers choose what is
/// hashed, it must be hashed with KeyedHash: otherwise they could make all probes long.
class FlatIndex {
public:
    static constexpr std::uint32_t kNone = UINT32_MAX;

    /// The number under this hash for which `same(number)` is true, or kNone.
    template <class Same>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Same same) const {
        if (cells_.empty()) return kNone;
        const auto half = upper_half(hash);
        for (std::size_t at = half & mask(); cells_[at].number != kNone; at = (at + 1) & mask())
            if (cells_[at].hash == half && same(cells_[at].number)) return cells_[at].number;
        return kNone;
    }

    /// Adds a number that is not in the table. kNone is not allowed.
    void insert(std::uint64_t hash, std::uint32_t number) {
        if (size_ + size_ / 2 >= cells_.size()) resize(cells_.empty() ? kMinCells : cells_.size() * 2);
        place({number, upper_half(hash)});
        ++size_;
    }

    /// Removes a number that is in the table under this hash.
    void erase(std::uint64_t hash, std::uint32_t number) {
        std::size_t hole = cell_of(hash, number);
        // A search ends at the first empty cell. So each later cell whose probe began at or before the hole moves into
        // it, and leaves the hole in its own place.
        for (std::size_t at = (hole + 1) & mask(); cells_[at].number != kNone; at = (at + 1) & mask()) {
            const std::size_t from_home = (at - cells_[at].hash) & mask();
            if (from_home < ((at - hole) & mask())) continue;
            cells_[hole] = cells_[at];
            hole = at;
        }
        cells_[hole] = {};
        --size_;
        if (cells_.size() > kMinCells && size_ < cells_.size() / 8) resize(cells_.size() / 2);
    }

    /// Puts `number` in the place of `old`, which is in the table under this hash.
    void replace(std::uint64_t hash, std::uint32_t old, std::uint32_t number) {
        cells_[cell_of(hash, old)].number = number;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

private:
    static constexpr std::size_t kMinCells = 8;  // the number of cells is a power of two; a third of them stays empty

    struct Cell {
        std::uint32_t number = kNone;  // kNone: empty
        std::uint32_t hash = 0;        // upper half
    };

    static std::uint32_t upper_half(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
    [[nodiscard]] std::size_t mask() const { return cells_.size() - 1; }

    [[nodiscard]] std::size_t cell_of(std::uint64_t hash, std::uint32_t number) const {
        MUSTER_CHECK(size_ > 0);
        std::size_t at = upper_half(hash) & mask();
        while (cells_[at].number != number) {
            MUSTER_CHECK(cells_[at].number != kNone);
            at = (at + 1) & mask();
        }
        return at;
    }
    void place(Cell cell) {
        std::size_t at = cell.hash & mask();
        while (cells_[at].number != kNone) at = (at + 1) & mask();
        cells_[at] = cell;
    }
    void resize(std::size_t cells) {
        for (const Cell& cell : std::exchange(cells_, std::vector<Cell>(cells)))
            if (cell.number != kNone) place(cell);
    }

    std::vector<Cell> cells_;
    std::size_t size_ = 0;
};

}  // namespace muster::cluster
