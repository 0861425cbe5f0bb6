#include "node/daemon/page/page.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <utility>

#include "node/daemon/http_server.hpp"
#include "node/daemon/page/files.hpp"
#include "node/daemon/page/group_list.hpp"
#include "node/daemon/page/json.hpp"
#include "node/daemon/page/origin_check.hpp"
#include "node/daemon/page/state_feed.hpp"
#include "node/daemon/shared_answer.hpp"
#include "node/daemon/slot.hpp"
#include "proto/validate.hpp"

namespace muster::daemon {
namespace {

constexpr auto kStreamWait = std::chrono::milliseconds(1000);  // a viewer that has gone is noticed within this time
constexpr std::size_t kMembersPerPage = 100;                   // as many as Node::members_part returns
constexpr std::size_t kLastMember = 1'000'000;  // those after it are not shown: each page walks past all before it

void answer(Response& response, const Json& json) {
    response.set(to_text(json) + "\n", "application/json");
}

int status_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::bad_request:
            return 400;
        case ErrorCode::overloaded:
        case ErrorCode::closed:
            return 503;
        case ErrorCode::timeout:
            return 504;
        default:
            return 502;
    }
}

/// 0 if missing or not a number.
std::size_t number_parameter(const Request& request, const char* name) {
    const std::string text = request.parameter(name);
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

Json json_of(const std::vector<MemberId>& members) {
    Json list = Json::array();
    for (const auto& id : members) list.push_back(to_string(id));
    return list;
}

Json json_of(const Comparison::Outcome& outcome) {
    Json differences = Json::array();
    for (const auto& difference : outcome.differences)
        differences.push_back({{"group", to_json(difference.group)},
                               {"here", difference.here},
                               {"there", difference.there},
                               {"only_here", json_of(difference.only_here)},
                               {"only_there", json_of(difference.only_there)}});
    const auto table = [](const Comparison::Table& t) { return Json{{"groups", t.groups}, {"members", t.members}}; };
    return {{"with", outcome.with},
            {"here", table(outcome.here)},
            {"there", table(outcome.there)},
            {"differ", outcome.differ},
            {"differences", std::move(differences)}};
}

}  // namespace

struct Page::Impl {
    Impl(Node& given, Access access, OriginCheck& origin_check)
        : node(given),
          check(origin_check),
          groups(given),
          comparison(given, std::move(access)),
          feed(given, [this] { groups.forget_if_idle(); }),
          whole_state([this] { return feed.state() + "\n"; }) {}

    using Handler = void (Impl::*)(const Request&, Response&);

    void file(const PageFile& file, const Request& request, Response& response);
    void events(const Request&, Response& response);
    void state(const Request&, Response& response);
    void find_groups(const Request& request, Response& response);
    void show_group(const Request& request, Response& response);
    void compare(const Request& request, Response& response);

    /// Wraps a handler for requests of the page's scripts.
    auto for_scripts(Handler handler) {
        return [this, handler](const Request& request, Response& response) {
            if (check.admits(request, response, true)) (this->*handler)(request, response);
        };
    }
    /// Same as for_scripts, but at most kQueries run at the same time.
    auto for_queries(Handler handler) {
        return [this, handler](const Request& request, Response& response) {
            if (!check.admits(request, response, true)) return;
            const Slot slot(running_queries, kQueries);
            if (slot) return (this->*handler)(request, response);
            ++refused;
            refuse(response, 503, "too many requests at the same time: try again");
        };
    }

    Node& node;
    OriginCheck& check;
    GroupList groups;
    Comparison comparison;
    StateFeed feed;
    SharedAnswer<std::string> whole_state;
    std::atomic<std::size_t> running_queries = 0;
    std::atomic<std::uint64_t> refused = 0;  // queries
};

Page::Page(Node& node, Access access, OriginCheck& check)
    : impl_(std::make_unique<Impl>(node, std::move(access), check)) {}
Page::~Page() = default;

void Page::close() {
    impl_->feed.close();
    impl_->comparison.close();
}

void Page::add_to(std::map<std::string, std::uint64_t>& counters) const {
    const auto counts = impl_->feed.counts();
    counters["page_viewers"] = counts.viewers;
    counters["page_viewers_refused"] = counts.refused;
    counters["page_viewers_fallen_behind"] = counts.fallen_behind;
    counters["page_requests_refused"] = impl_->refused + impl_->check.refused();
}

void Page::serve(HttpServer& server) {
    Impl* impl = impl_.get();
    for (const PageFile& file : page_files()) {
        const bool is_index = file.name == "index.html";
        const std::string path = is_index ? "/" : "/page/" + std::string(file.name);
        server.get(path,
                   [impl, &file](const Request& request, Response& response) { impl->file(file, request, response); });
    }
    server.get("/events", impl->for_scripts(&Impl::events));
    server.get("/page/state", impl->for_scripts(&Impl::state));
    server.get("/page/groups", impl->for_queries(&Impl::find_groups));
    server.get("/page/group", impl->for_queries(&Impl::show_group));
    server.get("/page/compare", impl->for_queries(&Impl::compare));
}

void Page::Impl::file(const PageFile& file, const Request& request, Response& response) {
    if (!check.admits(request, response, file.name != "index.html")) return;
    response.set(std::string(file.bytes), std::string(file.type));
}

void Page::Impl::events(const Request&, Response& response) {
    const auto viewer = feed.subscribe();
    if (!viewer)
        return refuse(
            response, 503,
            "the page already has its maximum of " + std::to_string(StateFeed::kViewers) + " viewers: try again later");
    const auto unsubscribe = std::shared_ptr<void>(nullptr, [this, viewer](void*) { feed.unsubscribe(viewer); });
    response.headers["X-Accel-Buffering"] = "no";
    response.set({}, "text/event-stream");
    response.stream = [viewer, unsubscribe]() -> std::optional<std::string> {
        const auto frame = viewer->take(kStreamWait);
        if (viewer->is_closed()) return std::nullopt;
        return frame ? *frame : ":\n\n";  // a comment, which browsers skip
    };
}

void Page::Impl::state(const Request&, Response& response) {
    response.set(*whole_state.get(), "application/json");
}

void Page::Impl::find_groups(const Request& request, Response& response) {
    const auto order =
        request.parameter("order") == "members" ? GroupList::Order::by_members : GroupList::Order::by_name;
    const std::size_t from = number_parameter(request, "from");
    const auto page = groups.find(request.parameter("search"), order, from);
    if (!page) return refuse(response, status_of(page.error()), page.error().text);
    Json list = Json::array();
    for (const auto& info : page->groups) list.push_back({{"group", to_json(info.group)}, {"members", info.members}});
    answer(response, {{"total", page->total},
                      {"matched", page->matched},
                      {"from", from},
                      {"page", GroupList::kPage},
                      {"groups", std::move(list)}});
}

void Page::Impl::show_group(const Request& request, Response& response) {
    const Group group{request.parameter("store"), request.parameter("feature")};
    if (const auto why = proto::why_invalid(group); !why.empty()) return refuse(response, 400, why);
    const std::size_t from = std::min(number_parameter(request, "from"), kLastMember);
    const auto part = node.members_part(group, from);
    if (!part) return refuse(response, status_of(part.error()), part.error().text);
    Json list = Json::array();
    for (const auto& member : part->members) list.push_back(to_json(member));
    answer(response, {{"group", to_json(group)},
                      {"key", to_string(group_key(group))},
                      {"total", part->total},
                      {"from", std::min<std::uint64_t>(from, part->total)},
                      {"page", kMembersPerPage},
                      {"members", std::move(list)}});
}

void Page::Impl::compare(const Request& request, Response& response) {
    const auto outcome = comparison.run(request.parameter("with"));
    if (!outcome) return refuse(response, status_of(outcome.error()), outcome.error().text);
    answer(response, json_of(*outcome));
}

}  // namespace muster::daemon
