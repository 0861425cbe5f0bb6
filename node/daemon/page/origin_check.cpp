#include "node/daemon/page/origin_check.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

namespace muster::daemon {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The host in lower case, without the port: "[::1]:80" becomes "::1".
std::string host_of(std::string host) {
    if (host.starts_with('[')) {
        host = host.substr(1, host.find(']') - 1);
    } else if (std::ranges::count(host, ':') == 1) {
        host.resize(host.find(':'));
    }
    std::ranges::transform(host, host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (host.ends_with('.')) host.pop_back();
    return host;
}

bool is_address(const std::string& name) {
    in6_addr any{};
    return ::inet_pton(AF_INET, name.c_str(), &any) == 1 || ::inet_pton(AF_INET6, name.c_str(), &any) == 1;
}

}  // namespace

bool is_known_host(const std::string& host, const std::string& served_on) {
    const std::string name = host_of(host);
    return name == host_of(served_on) || is_address(name) || name.find('.') == std::string::npos ||
           name.ends_with(".localhost");
}

bool is_same_origin(const Request& request) {
    const std::string site = request.header("Sec-Fetch-Site");
    return site.empty() || site == "same-origin" || site == "none";
}

void add_security_headers(Response& response) {
    response.headers["Content-Security-Policy"] = kPolicy;
    response.headers["X-Content-Type-Options"] = "nosniff";
    response.headers["X-Frame-Options"] = "DENY";
    response.headers["Referrer-Policy"] = "no-referrer";
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin";
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin";
    response.headers["Cache-Control"] = "no-store";
}

}  // namespace muster::daemon
