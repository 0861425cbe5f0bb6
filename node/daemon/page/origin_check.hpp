// Protects the page against other web sites: checks of requests, and headers of responses.
#pragma once

#include <string>

#include "node/daemon/http_server.hpp"

namespace muster::daemon {

/// Whether the Host header names this node: an IP address, a name without dots, localhost, or the host of `served_on`
/// ("host:port"). An attacker can make any other name resolve to this node (DNS rebinding). A page at that name could
/// then read this one, because the browser takes both for the same origin.
bool is_known_host(const std::string& host, const std::string& served_on);

/// Whether the request comes from this page or from a client that is not a browser, by Sec-Fetch-Site: not from the
/// page of another site.
bool is_same_origin(const Request& request);

/// Allows no content from other sources, no frames, no caching, and no guessing of media types.
void add_security_headers(Response& response);

}  // namespace muster::daemon
