// The status page: the cluster as this node sees it.
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
class OriginCheck;

/// Serves `/` with its files and queries below `/page/`, and `/events`: the state and its changes as server-sent
/// events. Read-only. Refuses requests from the pages of other sites (origin_check.hpp).
///
/// Each viewer holds a connection of the server, kViewers in all. Searches, members of groups and comparisons hold at
/// most kQueries. More are refused immediately, so that connections remain for other requests.
class Page {
public:
    static constexpr std::size_t kQueries = 4;

    /// `node` and `check` must outlive it.
    Page(Node& node, Access access, OriginCheck& check);
    ~Page();

    /// Registers the handlers. Call it before the server starts. The server must stop before the page is destroyed.
    void serve(HttpServer& server);
    /// Ends streams and comparisons, so that the server can stop.
    void close();

    /// Adds the page's counters.
    void add_to(std::map<std::string, std::uint64_t>& counters) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster::daemon
