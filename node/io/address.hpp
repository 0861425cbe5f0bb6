// Parses HOST:PORT as users write it, and looks up host names.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster::node {

struct Address {
    std::string host;  // a name or a number; IPv6 without its brackets
    std::uint16_t port = 0;

    bool operator==(const Address&) const = default;
};

/// Parses "host:port" or "[v6]:port". Port 0 is allowed. Nothing is looked up.
/// Errors: bad_request, with the reason.
Result<Address> parse_address(std::string_view text);

/// An address and the name of the node that is expected there; the name is empty if any node may be there.
struct NamedAddress {
    std::string name;
    std::string address;  // "host:port"
};
/// Parses "NAME@host:port", or "host:port" without a name.
/// Errors: bad_request, with the reason.
Result<NamedAddress> parse_named_address(std::string_view text);

/// What a user means by an address: without spaces around it and without "tcp://".
std::string plain_address(std::string_view typed);
/// The plain addresses of a list with commas. Empty parts are left out.
std::vector<std::string> split_addresses(std::string_view typed);

/// The inverse of parse_address.
std::string to_string(const Address& address);
std::string with_port(std::string host, std::uint16_t port);

/// Whether `host` is an IPv4 or IPv6 address, so that no name service is needed.
bool is_numeric(const std::string& host);
/// Whether `host` means "every interface". A socket can bind to it, but cannot connect to it.
bool is_any(const std::string& host);
/// Whether the numeric address `host` can be reached from this machine only.
bool is_loopback(const std::string& host);

/// Numeric addresses in the order of RFC 8305, section 4: the families take turns, beginning with that of the first
/// one. A family that does not work from here then costs one attempt.
std::vector<std::string> in_turns(const std::vector<std::string>& hosts);
inline constexpr std::size_t kMaxResolved = 64;  // addresses of one name
/// All numeric addresses of a name that can be connected to, in both families, without duplicates, in_turns(); empty if
/// the name does not resolve at the moment. Blocks for as long as the name service takes: loops use Resolver.
std::vector<std::string> resolve(const std::string& host);

}  // namespace muster::node
