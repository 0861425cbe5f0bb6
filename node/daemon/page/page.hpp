// The page that shows the cluster as this node sees it.
#pragma once

#include <muster/node.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "node/daemon/page/comparison.hpp"

namespace muster::daemon {

class HttpServer;

/// `/` and what it is made of below `/page/`; `/events`: the state and what changes of it, as server-sent events.
/// Read-only. Requests from other sites' pages are refused (visitor.hpp).
///
/// Each viewer holds a connection of the server, kViewers in all. Searches, members of groups and comparisons hold at
/// most kQuestions. More are refused immediately, so that connections remain for other requests.
class Page {
public:
    static constexpr std::size_t kQuestions = 4;

    /// `node` outlives it. `served_on`: "host:port".
    Page(Node& node, Access access, std::string served_on);
    ~Page();

    /// Before the server listens; it must have stopped before the page ends.
    void serve(HttpServer& server);
    /// Streams and comparisons end, so that the server can stop.
    void close();

    /// Adds what the page has counted.
    void add_to(std::map<std::string, std::uint64_t>& counters) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster::daemon
