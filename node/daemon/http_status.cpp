#include "node/daemon/http_status.hpp"

#include <httplib.h>

#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "node/daemon/metrics.hpp"
#include "node/daemon/page/page.hpp"
#include "node/daemon/request_stream.hpp"
#include "node/io/address.hpp"

namespace muster::daemon {
namespace {

constexpr std::size_t kThreads = 16;  // whoever says nothing holds one for two seconds, and nobody for long
constexpr auto kStuck = std::chrono::seconds(5);

void answer(httplib::Response& response, bool good, const char* yes, const char* no) {
    response.status = good ? 200 : 503;
    response.set_content(std::string(good ? yes : no) + "\n", "text/plain");
}

nlohmann::json to_json(const Status& status) {
    return {{"node",
             {{"name", status.node.id.name},
              {"incarnation", status.node.id.incarnation.value},
              {"state", to_string(status.node.state)},
              {"address", status.node.address}}},
            {"scope", status.scope},
            {"ready", status.ready},
            {"seq", status.seq},
            {"groups", status.groups},
            {"members", status.members},
            {"workers", status.workers},
            {"security", security_of(status)},
            {"counters", status.counters}};
}

/// One request a connection, which brings no more than a RequestStream takes: the library alone keeps lines and bodies
/// of any length, and a connection for as long as a byte comes now and then.
class Server final : public httplib::Server {
    bool process_and_close_socket(socket_t socket) override {
        RequestStream stream(socket);
        bool closed = false;
        const bool answered = process_request(stream, true, closed, nullptr);
        ::shutdown(socket, SHUT_RDWR);
        ::close(socket);
        return answered;
    }
};

}  // namespace

struct HttpStatus::Impl {
    Impl(Node& given, Access access, const std::string& address)
        : node(given), page(given, std::move(access), address) {}

    Node& node;
    Page page;
    Server server;
    std::thread thread;

    void serve() {
        server.new_task_queue = [] { return new httplib::ThreadPool(kThreads + Page::kThreads); };
        server.Get("/healthz", [this](const httplib::Request&, httplib::Response& response) {
            answer(response, node.loop_age() < kStuck, "ok", "the node's thread is stuck");
        });
        server.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
            answer(response, node.is_ready(), "ready", "not ready");
        });
        server.Get("/status", [this](const httplib::Request&, httplib::Response& response) {
            auto status = node.status();
            if (!status) return answer(response, false, "", status.error().text.c_str());
            page.add_to(status->counters);
            response.set_content(to_json(*status).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
                                 "application/json");
        });
        server.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
            auto measured = measure(node);
            if (!measured) return answer(response, false, "", measured.error().text.c_str());
            page.add_to(measured->status.counters);
            response.set_content(to_prometheus(*measured), kPrometheusType);
        });
        page.serve(server);
        thread = std::thread([this] { server.listen_after_bind(); });
    }
};

Result<std::unique_ptr<HttpStatus>> HttpStatus::start(const std::string& address, Node& node, Access access) {
    const auto parsed = node::parse_address(address);
    if (!parsed) return parsed.error();
    auto impl = std::make_unique<Impl>(node, std::move(access), address);
    // Without this, a port that another process listens on could be shared with it.
    impl->server.set_socket_options([](socket_t socket) {
        const int yes = 1;
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    const bool bound = parsed->port == 0 ? impl->server.bind_to_any_port(parsed->host) > 0
                                         : impl->server.bind_to_port(parsed->host, parsed->port);
    if (!bound)
        return Error{ErrorCode::unreachable,
                     "cannot serve HTTP on " + address + ": choose another --http or stop what uses it"};
    impl->serve();
    return std::unique_ptr<HttpStatus>(new HttpStatus(std::move(impl)));
}

HttpStatus::HttpStatus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpStatus::~HttpStatus() {
    impl_->page.close();
    impl_->server.stop();
    impl_->thread.join();
}

}  // namespace muster::daemon
