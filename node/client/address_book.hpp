// The addresses of nodes, and the order in which they are tried.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::client {

/// Whether `text` is "host:port" or "[ipv6]:port" with a port from 1 to 65535, with or without "NAME@" in front.
bool is_valid_address(std::string_view text);
/// The "host:port" of an address, and the NAME of the node that is expected there; empty: any node.
std::string_view host_port_of(std::string_view address);
std::string_view node_name_of(std::string_view address);

/// Hands out addresses in rounds. A round has every known address once: the user's list first, then what was learned.
/// Each round shuffles both, so that workers with one list spread over its nodes, and those that lose one node do not
/// all go to the same other one.
class AddressBook {
public:
    /// `in_order`: rounds keep the order of the list.
    AddressBook(std::vector<std::string> nodes, bool in_order, std::uint64_t random_seed);

    /// Replaces the addresses that were learned before. Invalid ones, and those beyond 64, are ignored.
    void learn(const std::vector<std::string>& nodes);

    /// These addresses are not tried in the rounds that begin from now on.
    void avoid(std::vector<std::string> addresses) { avoided_ = std::move(addresses); }
    [[nodiscard]] bool is_avoided(const std::string& address) const;
    /// Whether there is an address that is not one of these.
    [[nodiscard]] bool has_other_than(const std::vector<std::string>& addresses) const;

    /// Begins a round. `first` is tried first, unless it is empty.
    void begin_round(const std::string& first = {});
    /// Begins a round in which `last` is tried last.
    void begin_round_without(const std::string& last);
    /// The address of this round that names the same host and port, if there is one, is the next.
    void prefer(const std::string& address);
    /// An address that was skipped is the next one of this round.
    void try_next(const std::string& address);
    /// The next address of the round, or nothing if the round is over.
    std::optional<std::string> next();
    [[nodiscard]] bool is_round_over() const { return round_.empty(); }

    /// The user's own list.
    [[nodiscard]] const std::vector<std::string>& listed() const { return listed_; }

private:
    const bool in_order_;
    std::mt19937_64 random_;
    std::vector<std::string> listed_;
    std::vector<std::string> learned_;
    std::vector<std::string> avoided_;
    std::vector<std::string> round_;  // what is left of the round, in reverse
};

}  // namespace muster::client
