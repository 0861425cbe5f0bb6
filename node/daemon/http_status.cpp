#include "node/daemon/http_status.hpp"

#include <nlohmann/json.hpp>

#include "node/daemon/config.hpp"
#include "node/daemon/metrics.hpp"
#include "node/daemon/page/origin_check.hpp"
#include "node/daemon/page/page.hpp"
#include "node/daemon/shared_answer.hpp"
#include "proto/utf8.hpp"

namespace muster::daemon {
namespace {

constexpr auto kStuck = std::chrono::seconds(5);

void answer(Response& response, bool good, const char* yes, const char* no) {
    response.status = good ? 200 : 503;
    response.set(std::string(good ? yes : no) + "\n", "text/plain");
}

nlohmann::json to_json(const Status& status) {
    return {{"node",
             {{"name", status.node.id.name},
              {"incarnation", status.node.id.incarnation.value},
              {"state", to_string(status.node.state)},
              {"address", status.node.address},
              {"draining", status.node.draining}}},
            {"scope", status.scope},
            {"ready", status.ready},
            {"seq", status.seq},
            {"groups", status.groups},
            {"members", status.members},
            {"workers", status.workers},
            {"security", security_of(status)},
            {"silent_channels", status.silent_channels},
            {"counters", status.counters}};
}

}  // namespace

struct HttpStatus::Impl {
    Impl(HttpServer bound, Node& given, Access access, const std::string& address)
        : node(given),
          check({address, given.address(), host_name()}),
          page(given, std::move(access), check),
          status([this] { return make_status(); }),
          metrics([this] { return make_metrics(); }),
          server(std::move(bound)) {}

    Node& node;
    OriginCheck check;
    Page page;
    SharedAnswer<Response> status;
    SharedAnswer<Response> metrics;
    HttpServer server;

    Result<Done> serve() {
        server.get(
            "/healthz",
            [this](const Request&, Response& response) {
                answer(response, node.loop_age() < kStuck, "ok", "the node's thread is stuck");
            },
            HttpServer::Cost::none);
        server.get(
            "/readyz",
            [this](const Request&, Response& response) { answer(response, node.is_ready(), "ready", "not ready"); },
            HttpServer::Cost::none);
        serve("/status", status);
        serve("/metrics", metrics);
        page.serve(server);
        return server.start({});
    }

    void serve(const char* path, SharedAnswer<Response>& answers) {
        server.get(path, [this, &answers](const Request& request, Response& response) {
            if (!check.admits(request, response, false)) return;
            const auto made = answers.get();
            response.status = made->status;
            response.content = made->content;
            for (const auto& [name, value] : made->headers) response.headers[name] = value;
        });
    }

    void add_to(std::map<std::string, std::uint64_t>& counters) const {
        const auto counts = server.counts();
        counters["http_connections"] = counts.open;
        counters["http_connections_displaced"] = counts.displaced;
        counters["http_requests_refused"] = counts.refused;
        page.add_to(counters);
    }

    Response make_status() {
        Response response;
        auto state = node.status();
        if (!state) {
            answer(response, false, "", state.error().text.c_str());
            return response;
        }
        add_to(state->counters);
        const auto json = to_json(*state).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        response.set(printable_json(json) + "\n", "application/json");
        return response;
    }

    Response make_metrics() {
        Response response;
        auto measured = measure(node);
        if (!measured) {
            answer(response, false, "", measured.error().text.c_str());
            return response;
        }
        add_to(measured->status.counters);
        response.set(to_prometheus(*measured), kPrometheusType);
        return response;
    }
};

Result<std::unique_ptr<HttpStatus>> HttpStatus::start(HttpServer server, const std::string& address, Node& node,
                                                      Access access) {
    auto impl = std::make_unique<Impl>(std::move(server), node, std::move(access), address);
    if (const auto started = impl->serve(); !started) return started.error();
    return std::unique_ptr<HttpStatus>(new HttpStatus(std::move(impl)));
}

HttpStatus::HttpStatus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpStatus::~HttpStatus() {
    impl_->page.close();
    impl_->server.stop();
}

}  // namespace muster::daemon
