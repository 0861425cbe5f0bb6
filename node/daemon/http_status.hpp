// Health, status, metrics and the status page over HTTP. Read-only.
#pragma once

#include <muster/node.hpp>

#include <memory>
#include <string>

#include "node/daemon/http_server.hpp"
#include "node/daemon/page/comparison.hpp"

namespace muster::daemon {

/// /healthz: 200 while the node's thread makes progress, otherwise 503. /readyz: 200 if the node is ready, otherwise
/// 503. /status: the node's Status as JSON. /metrics: for Prometheus. All other paths belong to the status page
/// (page/page.hpp).
///
/// Each request has a thread of its own. /healthz and /readyz wait for nothing: neither for the node's lock, nor for
/// other requests or connections. One answer of /status, and one of /metrics, is made at a time, for all that ask.
class HttpStatus {
public:
    /// `server`: bound to `address`. `node` must outlive it. `access`: how the page connects to other nodes.
    /// Errors: unreachable (threads, descriptors or memory are short).
    static Result<std::unique_ptr<HttpStatus>> start(HttpServer server, const std::string& address, Node& node,
                                                     Access access);
    ~HttpStatus();

private:
    struct Impl;
    explicit HttpStatus(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster::daemon
