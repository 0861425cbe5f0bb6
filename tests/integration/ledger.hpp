// What was sent, and what arrived where: whether nothing was lost, doubled or reordered.
#pragma once

#include <muster/types.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace muster::test {

/// A notification of a test: the `number`th of a sender, from 1.
struct Stamp {
    std::uint32_t sender = 0;
    std::uint32_t number = 0;
};
Data to_data(Stamp stamp);
/// Empty when the data is no stamp.
std::optional<Stamp> to_stamp(const Data& data);

/// Members and senders are numbered from 0. A sender sends its numbers in order,
/// each to one group; a member is in one group.
///
/// Thread-safe, where each sender and each member calls one at a time.
class Ledger {
public:
    Ledger(std::size_t members, std::size_t senders, std::size_t most_per_sender);

    /// The report of a notify: so many members matched.
    void sent(Stamp stamp, std::uint64_t matched);
    /// A member was handed it. Numbers of one sender may skip (others went to other groups), never fall or repeat.
    void arrived(std::size_t member, const Data& data);
    /// Anything else that must not happen, in words.
    void broken(std::string what);

    [[nodiscard]] std::uint64_t matched() const { return matched_; }
    [[nodiscard]] std::uint64_t arrived() const { return arrived_; }

    /// Once all is quiet: every notification arrived as often as members had matched.
    /// What is wrong, in words, at most twenty lines; empty when all is well.
    [[nodiscard]] std::vector<std::string> verdict() const;

private:
    struct Entry {
        std::atomic<std::uint16_t> matched{0};
        std::atomic<std::uint16_t> arrived{0};
    };
    [[nodiscard]] bool is_known(Stamp stamp) const;

    const std::size_t most_per_sender_;
    std::deque<std::deque<Entry>> sent_;                  // by sender and number
    std::vector<std::vector<std::uint32_t>> last_taken_;  // by member and sender
    std::atomic<std::uint64_t> matched_{0};
    std::atomic<std::uint64_t> arrived_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> broken_;
};

}  // namespace muster::test
