// A small HTTP server for answers to GET (libmicrohttpd).
#pragma once

#include <muster/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

struct MHD_Connection;

namespace muster::daemon {

/// What a client asks. Valid while its handler runs.
class Request {
public:
    explicit Request(MHD_Connection* connection) : connection_(connection) {}

    /// Empty if missing.
    [[nodiscard]] std::string header(const char* name) const;
    /// A parameter of the query, decoded. Empty if missing.
    [[nodiscard]] std::string parameter(const char* name) const;

private:
    MHD_Connection* connection_;
};

struct Response {
    int status = 200;
    std::map<std::string, std::string> headers;
    std::string content;
    /// If set, sent instead of `content`: one part per call, until a call returns nothing or the client has gone.
    /// A client that has gone is noticed only by sending to it.
    std::function<std::optional<std::string>()> stream;

    void set(std::string text, std::string type);
};

/// Serves one request per connection, each on a thread of its own. Any other method than GET or HEAD is answered 405,
/// any other path than those given 404. Answers are always whole: a Range is ignored.
class HttpServer {
public:
    using Handler = std::function<void(const Request&, Response&)>;
    enum class Cost : std::uint8_t {
        some,  // bounded by Limits::handlers
        none,  // always answered: the handler must take no lock and no time
    };

    /// What clients may take together, and what one may take. It is disconnected when it wants more.
    struct Limits {
        std::size_t connections = 128;  // beyond, the oldest one without a handler makes room: see HttpClients
        std::size_t handlers = 32;      // that run at the same time, except those without cost; others are answered 503
        std::size_t request_bytes = 16U << 10U;                            // request line and headers; no body is read
        std::chrono::milliseconds request_time = std::chrono::seconds(5);  // until the request has arrived completely
        std::chrono::milliseconds silence = std::chrono::seconds(2);       // without a byte of the answer being taken
    };

    HttpServer();
    ~HttpServer();
    HttpServer(HttpServer&&) noexcept;
    HttpServer& operator=(HttpServer&&) noexcept;

    /// Before start(). Exceptions of the handler are answered 500.
    void get(std::string path, Handler handler, Cost cost = Cost::some);
    enum class Reach : std::uint8_t { loopback, all };
    /// Takes the port, at the first address of the host's name that this host has and `reach` allows. Clients that
    /// connect wait until start(). Errors: bad_request (address), unreachable (it cannot be bound).
    Result<Done> bind(const std::string& address, Reach reach);
    /// After bind(). Errors: unreachable (threads, descriptors or memory are short).
    Result<Done> start(const Limits& limits);
    /// Disconnects all clients, then waits for their handlers and streams.
    void stop();
    struct Counts {
        std::uint64_t open = 0;       // connections
        std::uint64_t displaced = 0;  // connections that made room for others
        std::uint64_t refused = 0;    // requests beyond Limits::handlers
    };
    [[nodiscard]] Counts counts() const;
    /// The port that it listens on.
    [[nodiscard]] std::uint16_t port() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster::daemon
