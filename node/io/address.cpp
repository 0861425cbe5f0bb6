#include "node/io/address.hpp"

#include <muster/ids.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

#include "proto/limits.hpp"

namespace muster::node {
namespace {

Error bad(std::string_view text, std::string_view why) {
    return {ErrorCode::bad_request, "\"" + std::string(text) + "\" is not HOST:PORT: " + std::string(why)};
}

bool is_host_char(char c) {
    return c > ' ' && c != '/' && c != '[' && c != ']' && c != ';' && c != ',' && c != '@' && c != '\x7f';
}

/// As an IPv6 address: ::ffff:a.b.c.d.
in6_addr mapped(in_addr v4) {
    in6_addr v6{};
    v6.s6_addr[10] = v6.s6_addr[11] = 0xFF;
    std::memcpy(&v6.s6_addr[12], &v4, sizeof v4);
    return v6;
}

bool is_v4(const in6_addr& number) {
    return IN6_IS_ADDR_V4MAPPED(&number) != 0;
}

/// The numeric address `host`, in any way in which getaddrinfo() reads one: "0" is 0.0.0.0, and "::0" is "::".
std::optional<in6_addr> number_of(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
    if (found->ai_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, found->ai_addr, sizeof v4);
        return mapped(v4.sin_addr);
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, found->ai_addr, sizeof v6);
    return v6.sin6_addr;
}

bool lacks_its_zone(const std::string& host) {
    in6_addr number{};
    return ::inet_pton(AF_INET6, host.c_str(), &number) == 1 && IN6_IS_ADDR_LINKLOCAL(&number);
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad(text, "give a port, such as 127.0.0.1:7100");
    if (text.size() > limits::kAddress) return bad(text.substr(0, 40), "it is longer than 255 bytes");
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return bad(text, "write an IPv6 address in brackets, such as [::1]:7100");
    }
    if (host.empty()) return bad(text, "give a host, such as 127.0.0.1:7100");
    if (!std::all_of(host.begin(), host.end(), is_host_char))
        return bad(text, "the host contains a character that is not allowed");
    const std::string name(host);
    if (lacks_its_zone(name)) return bad(text, "name the interface, too, such as [fe80::1%eth0]:7100");
    if (host.find('%') != std::string_view::npos && !is_numeric(name))
        return bad(text, "% stands between an IPv6 address and its interface only");
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size())
        return bad(text, "the port must be a number from 0 to 65535");
    return Address{name, port};
}

Result<NamedAddress> parse_named_address(std::string_view text) {
    const auto at = text.find('@');
    const auto name = at == std::string_view::npos ? std::string_view{} : text.substr(0, at);
    const auto rest = at == std::string_view::npos ? text : text.substr(at + 1);
    if (at != std::string_view::npos && !is_valid_name(name))
        return bad(text, "the part before @ must be a node's name");
    if (const auto address = parse_address(rest); !address) return address.error();
    return NamedAddress{std::string(name), std::string(rest)};
}

std::string plain_address(std::string_view typed) {
    constexpr std::string_view kSpaces = " \t\r\n";
    constexpr std::string_view kScheme = "tcp://";
    const auto without_scheme = [&](std::string_view text) {
        return std::string(text.substr(text.starts_with(kScheme) ? kScheme.size() : 0));
    };
    const auto first = typed.find_first_not_of(kSpaces);
    if (first == std::string_view::npos) return {};
    auto text = without_scheme(typed.substr(first, typed.find_last_not_of(kSpaces) + 1 - first));
    const auto at = text.find('@');
    if (at == std::string::npos) return text;
    return text.substr(0, at + 1) + without_scheme(std::string_view(text).substr(at + 1));
}

std::vector<std::string> split_addresses(std::string_view typed) {
    std::vector<std::string> addresses;
    while (!typed.empty()) {
        const auto comma = std::min(typed.find(','), typed.size());
        if (auto one = plain_address(typed.substr(0, comma)); !one.empty()) addresses.push_back(std::move(one));
        typed.remove_prefix(std::min(comma + 1, typed.size()));
    }
    return addresses;
}

std::string to_string(const Address& address) {
    return with_port(address.host, address.port);
}

std::string with_port(std::string host, std::uint16_t port) {
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    return host + ":" + std::to_string(port);
}

bool is_numeric(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) return true;
    const auto zone = host.find('%');  // of a link-local address: "fe80::1%eth0"
    return ::inet_pton(AF_INET6, host.substr(0, zone).c_str(), bytes.data()) == 1;
}

bool is_loopback(const std::string& host) {
    const auto number = number_of(host);
    return number && (is_v4(*number) ? number->s6_addr[12] == IN_LOOPBACKNET : IN6_IS_ADDR_LOOPBACK(&*number) != 0);
}

bool is_any(const std::string& host) {
    const auto number = number_of(host);
    const in6_addr v4_any = mapped(in_addr{INADDR_ANY});
    return host == "*" || (number && (IN6_IS_ADDR_UNSPECIFIED(&*number) || IN6_ARE_ADDR_EQUAL(&*number, &v4_any)));
}

std::vector<std::string> in_turns(const std::vector<std::string>& hosts) {
    const auto is_v6 = [](const std::string& host) { return host.find(':') != std::string::npos; };
    std::vector<std::string> first;
    std::vector<std::string> second;
    for (const auto& host : hosts) (is_v6(host) == is_v6(hosts.front()) ? first : second).push_back(host);
    std::vector<std::string> ordered;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) ordered.push_back(first[i]);
        if (i < second.size()) ordered.push_back(second[i]);
    }
    return ordered;
}

std::vector<std::string> resolve(const std::string& host) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    std::vector<std::string> addresses;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
            continue;
        if (lacks_its_zone(text.data())) continue;
        if (std::find(addresses.begin(), addresses.end(), text.data()) == addresses.end())
            addresses.emplace_back(text.data());
    }
    ::freeaddrinfo(found);
    auto ordered = in_turns(addresses);
    if (ordered.size() > kMaxResolved) ordered.resize(kMaxResolved);
    return ordered;
}

}  // namespace muster::node
