// Protects the page against other web sites: checks of requests, and headers of responses.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "node/daemon/http_server.hpp"

namespace muster::daemon {

/// Decides which requests may read something. Any thread.
class OriginCheck {
public:
    /// `names`: hosts that are this node's, each perhaps with a port.
    explicit OriginCheck(std::vector<std::string> names);

    /// Adds the security headers to the response: no content from other sources, no frames, no caching, and no guessing
    /// of media types. Returns whether the request is allowed. Otherwise the response is an error.
    ///
    /// The Host header must be missing, or name this node: an IP address, a name without dots, localhost, or one of
    /// `names`. An attacker can make any other name resolve to this node (DNS rebinding). A page at that name could
    /// then read this one, because the browser takes both for the same origin.
    ///
    /// `for_scripts`: the request must also come from this page or from a client that is not a browser, by
    /// Sec-Fetch-Site. Otherwise the page of another site may have a link here.
    bool admits(const Request& request, Response& response, bool for_scripts);

    /// Requests that were not allowed.
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    [[nodiscard]] bool is_known_host(const std::string& host) const;

    const std::vector<std::string> names_;
    std::atomic<std::uint64_t> refused_ = 0;
};

/// Answers with an error, as JSON.
void refuse(Response& response, int status, const std::string& why);

}  // namespace muster::daemon
