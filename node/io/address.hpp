// "host:port" as users type it and as sockets want it.
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

/// "host:port" or "[v6]:port"; port 0 is allowed.
/// Errors: bad_request, with what is wrong about it.
Result<Address> parse_address(std::string_view text);
/// "NAME@host:port" says which node is expected there; without a name, `name` is empty.
struct NamedAddress {
    std::string name;
    std::string address;  // "host:port"
};
/// Errors: bad_request, with what is wrong about it.
Result<NamedAddress> parse_named_address(std::string_view text);
/// The inverse of parse_address.
std::string to_string(const Address& address);
std::string with_port(std::string host, std::uint16_t port);

/// Whether `host` is an IPv4 or IPv6 address, so that nothing has to be looked up.
bool is_numeric(const std::string& host);
/// Whether `host` means "every interface", which nobody can connect to.
bool is_any(const std::string& host);

/// Whether nobody outside this machine can reach this numeric address.
bool is_loopback(const std::string& host);

/// Every numeric address of a name, without repeats; empty when there is none now.
/// Blocks, for as long as the name service does.
std::vector<std::string> resolve(const std::string& host);

}  // namespace muster::node
