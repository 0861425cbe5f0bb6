// What musterd tells over HTTP. Read-only.
#pragma once

#include <muster/node.hpp>

#include <memory>
#include <string>

#include "node/daemon/page/comparison.hpp"

namespace muster::daemon {

/// /healthz: 200 while the node's thread turns, else 503. /readyz: 200 when the
/// node is ready, else 503. /status: the node's Status as JSON. /metrics: for
/// Prometheus. The rest is the page's (page/page.hpp).
/// Has threads of its own.
class HttpStatus {
public:
    /// `node` outlives it. `access`: for what the page asks other nodes. Errors: bad_request, unreachable (port in
    /// use).
    static Result<std::unique_ptr<HttpStatus>> start(const std::string& address, Node& node, Access access);
    ~HttpStatus();

private:
    struct Impl;
    explicit HttpStatus(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster::daemon
