// Whom the page answers, and what every answer says so that a browser keeps it to itself.
#pragma once

#include <string>

#include "node/daemon/http_server.hpp"

namespace muster::daemon {

/// Whether a request with this Host header was meant for this node: an address, a name without dots, localhost, or the
/// name that it serves on. Any other name could be a stranger's that was made to point here (DNS rebinding), and the
/// stranger's page would then read this one as its own.
bool is_known_host(const std::string& host, const std::string& served_on);

/// Whether the page's own scripts ask, or somebody who is no browser: not another site's page.
bool is_from_here(const Request& request);

/// No scripts, styles or frames from elsewhere, nothing kept, nothing guessed.
void protect(Response& response);

}  // namespace muster::daemon
