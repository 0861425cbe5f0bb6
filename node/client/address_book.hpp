// Which node to try next: the user's list first, then what nodes told of each other.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::client {

/// Whether `text` is "host:port" (or "[ipv6]:port") with a port from 1 to 65535, or that behind "NAME@".
bool is_valid_address(std::string_view text);
/// "host:port" of an address that may begin with "NAME@", and the name; empty: any node.
std::string_view place_of(std::string_view address);
std::string_view name_in(std::string_view address);

/// Hands out addresses in rounds. A round has every known address once.
class AddressBook {
public:
    explicit AddressBook(std::vector<std::string> nodes);

    /// Addresses of other nodes, as the last welcome told; beyond 64 they are ignored.
    void told(const std::vector<std::string>& nodes);

    /// Begins a round; `first`, when given, is tried first of all.
    void begin_round(const std::string& first = {});
    /// Begins a round in which `last` is tried last of all.
    void begin_round_without(const std::string& last);
    /// The next of this round, or nothing when the round is over.
    std::optional<std::string> next();

    /// The user's own list.
    [[nodiscard]] const std::vector<std::string>& listed() const { return listed_; }

private:
    std::vector<std::string> listed_;
    std::vector<std::string> told_;
    std::vector<std::string> round_;  // what is left of it, next one last
};

}  // namespace muster::client
