// One origin's members of one group, and who owns them.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/messages.hpp"

namespace muster::cluster {

using OwnerRef = std::uint32_t;

/// A member without what all members of its list share.
struct Entry {
    MemberNumber number;
    OwnerRef owner = 0;

    bool operator==(const Entry&) const = default;
};

/// The (worker, metadata) pairs of one origin's members, each kept once.
class OwnerTable {
public:
    /// The pair's number, with `uses` more uses.
    OwnerRef acquire(const std::string& worker, const Meta& meta, std::uint64_t uses);
    void release(OwnerRef ref, std::uint64_t uses = 1);

    [[nodiscard]] const std::string& worker(OwnerRef ref) const { return slots_[ref].place->first.first; }
    [[nodiscard]] const Meta& meta(OwnerRef ref) const { return slots_[ref].place->first.second; }
    /// The same on every node for the same pair.
    [[nodiscard]] std::uint64_t hash(OwnerRef ref) const { return slots_[ref].hash; }

private:
    using Key = std::pair<std::string, Meta>;
    struct Slot {
        std::map<Key, OwnerRef>::iterator place;
        std::uint64_t hash = 0;
        std::uint64_t uses = 0;
    };

    std::map<Key, OwnerRef> by_key_;
    std::vector<Slot> slots_;
    std::vector<OwnerRef> free_;
};

/// Members by number. Numbers only ever grow at their origin, so a join appends.
class MemberList {
public:
    /// False when the number stands here already.
    bool add(Entry entry);
    /// False when it does not; otherwise `owner` is who owned it.
    bool remove(MemberNumber number, OwnerRef& owner);
    [[nodiscard]] bool contains(MemberNumber number) const;

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    std::vector<Entry> entries_;
};

/// Consecutive numbers with one owner as one run each, as they cross the wire.
std::vector<proto::JoinRun> runs_of(const std::vector<Entry>& entries, const OwnerTable& owners);
/// The same for ascending numbers alone.
std::vector<proto::NumberRun> runs_of(const std::vector<MemberNumber>& numbers);

}  // namespace muster::cluster
