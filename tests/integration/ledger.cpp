#include "tests/integration/ledger.hpp"

#include <algorithm>
#include <utility>

namespace muster::test {
namespace {

constexpr std::size_t kMostLines = 20;
constexpr char kTwoElements = '\x92';  // msgpack: an array of two
constexpr char kUint32 = '\xce';       // msgpack: four bytes follow, big-endian
constexpr std::size_t kSize = 11;

void put(std::string& to, std::uint32_t value) {
    to += kUint32;
    for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 0xff);
}

std::uint32_t get(const std::string& from, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 1; i <= 4; ++i) value = value << 8 | static_cast<unsigned char>(from[at + i]);
    return value;
}

std::string text(Stamp stamp) {
    return "notification " + std::to_string(stamp.number) + " of sender " + std::to_string(stamp.sender);
}

}  // namespace

Data to_data(Stamp stamp) {
    std::string bytes(1, kTwoElements);
    put(bytes, stamp.sender);
    put(bytes, stamp.number);
    return Data{std::move(bytes)};
}

std::optional<Stamp> to_stamp(const Data& data) {
    const auto& bytes = data.msgpack;
    if (bytes.size() != kSize || bytes[0] != kTwoElements || bytes[1] != kUint32 || bytes[6] != kUint32)
        return std::nullopt;
    return Stamp{get(bytes, 1), get(bytes, 6)};
}

Ledger::Ledger(std::size_t members, std::size_t senders, std::size_t most_per_sender)
    : most_per_sender_(most_per_sender), last_taken_(members, std::vector<std::uint32_t>(senders)) {
    for (std::size_t i = 0; i < senders; ++i) sent_.emplace_back(most_per_sender);
}

bool Ledger::is_known(Stamp stamp) const {
    return stamp.sender < sent_.size() && stamp.number >= 1 && stamp.number <= most_per_sender_;
}

void Ledger::sent(Stamp stamp, std::uint64_t matched) {
    sent_.at(stamp.sender).at(stamp.number - 1).matched = static_cast<std::uint16_t>(matched);
    matched_ += matched;
}

void Ledger::arrived(std::size_t member, const Data& data) {
    const auto stamp = to_stamp(data);
    if (!stamp || !is_known(*stamp)) return broken("member " + std::to_string(member) + " got what nobody sent");
    auto& last = last_taken_[member][stamp->sender];
    if (stamp->number <= last)
        broken("member " + std::to_string(member) + " got " + text(*stamp) + " after number " + std::to_string(last));
    last = std::max(last, stamp->number);
    ++sent_[stamp->sender][stamp->number - 1].arrived;
    ++arrived_;
}

void Ledger::broken(std::string what) {
    const std::lock_guard lock(mutex_);
    if (broken_.size() < kMostLines) broken_.push_back(std::move(what));
}

std::vector<std::string> Ledger::verdict() const {
    std::vector<std::string> lines;
    {
        const std::lock_guard lock(mutex_);
        lines = broken_;
    }
    for (std::size_t sender = 0; sender < sent_.size(); ++sender) {
        for (std::size_t i = 0; i < sent_[sender].size() && lines.size() < kMostLines; ++i) {
            const auto& entry = sent_[sender][i];
            if (entry.matched == entry.arrived) continue;
            lines.push_back(text({static_cast<std::uint32_t>(sender), static_cast<std::uint32_t>(i + 1)}) +
                            " matched " + std::to_string(entry.matched) + " members and arrived " +
                            std::to_string(entry.arrived) + " times");
        }
    }
    return lines;
}

}  // namespace muster::test
