#include "node/daemon/http_status.hpp"

#include <nlohmann/json.hpp>

#include "node/daemon/http_server.hpp"
#include "node/daemon/metrics.hpp"
#include "node/daemon/page/page.hpp"

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
              {"address", status.node.address}}},
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
    Impl(Node& given, Access access, const std::string& address)
        : node(given), page(given, std::move(access), address) {}

    Node& node;
    Page page;
    HttpServer server;

    Result<Done> serve(const std::string& address) {
        server.get("/healthz", [this](const Request&, Response& response) {
            answer(response, node.loop_age() < kStuck, "ok", "the node's thread is stuck");
        });
        server.get("/readyz", [this](const Request&, Response& response) {
            answer(response, node.is_ready(), "ready", "not ready");
        });
        server.get("/status", [this](const Request&, Response& response) {
            auto status = node.status();
            if (!status) return answer(response, false, "", status.error().text.c_str());
            page.add_to(status->counters);
            response.set(to_json(*status).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
                         "application/json");
        });
        server.get("/metrics", [this](const Request&, Response& response) {
            auto measured = measure(node);
            if (!measured) return answer(response, false, "", measured.error().text.c_str());
            page.add_to(measured->status.counters);
            response.set(to_prometheus(*measured), kPrometheusType);
        });
        page.serve(server);
        return server.start(address, {});
    }
};

Result<std::unique_ptr<HttpStatus>> HttpStatus::start(const std::string& address, Node& node, Access access) {
    auto impl = std::make_unique<Impl>(node, std::move(access), address);
    if (const auto started = impl->serve(address); !started) return started.error();
    return std::unique_ptr<HttpStatus>(new HttpStatus(std::move(impl)));
}

HttpStatus::HttpStatus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpStatus::~HttpStatus() {
    impl_->page.close();
    impl_->server.stop();
}

}  // namespace muster::daemon
