#include "node/daemon/page/origin_check.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "node/daemon/page/json.hpp"

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

std::vector<std::string> hosts_of(std::vector<std::string> names) {
    for (auto& name : names) name = host_of(std::move(name));
    return names;
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

}  // namespace

OriginCheck::OriginCheck(std::vector<std::string> names) : names_(hosts_of(std::move(names))) {}

bool OriginCheck::is_known_host(const std::string& host) const {
    const std::string name = host_of(host);
    return is_address(name) || name.find('.') == std::string::npos || name.ends_with(".localhost") ||
           std::ranges::find(names_, name) != names_.end();
}

bool OriginCheck::admits(const Request& request, Response& response, bool for_scripts) {
    add_security_headers(response);
    const std::string host = request.header("Host");
    if (!host.empty() && !is_known_host(host)) {
        ++refused_;
        refuse(response, 421,
               "unknown host \"" + host + "\": use the node's address; a proxy must send it as the Host header");
        return false;
    }
    if (for_scripts && !is_same_origin(request)) {
        ++refused_;
        refuse(response, 403, "requests from other sites are not allowed: open this node's own page");
        return false;
    }
    return true;
}

void refuse(Response& response, int status, const std::string& why) {
    response.status = status;
    response.set(to_text({{"error", why}}) + "\n", "application/json");
}

}  // namespace muster::daemon
