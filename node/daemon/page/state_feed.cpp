#include "node/daemon/page/state_feed.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace muster::daemon {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(500);
constexpr auto kIdleInterval = std::chrono::seconds(30);
constexpr WallTime kSameMoment{1500};  // smaller differences come from reading clocks at different times

// The counters that the page shows.
constexpr const char* kCounters[] = {"notifications",
                                     "notifications_matched",
                                     "notifications_delivered",
                                     "notifications_dropped",
                                     "notifications_refused",
                                     "notifications_lost_on_links",
                                     "notifications_lost_with_workers",
                                     "link_queue",
                                     "gaps",
                                     "snapshots_taken",
                                     "digest_mismatches"};

std::string frame(const char* event, const Json& data) {
    return std::string("event: ") + event + "\ndata: " + to_text(data) + "\n\n";
}

Json list_of(const std::vector<Change>& changes, WallTime now) {
    Json list = Json::array();
    for (const auto& change : changes) list.push_back(to_json(change, now));
    return list;
}

std::string scope_of(Node& node) {
    const auto status = node.status();
    return status ? status->scope : "";
}

std::string security_at(Node& node) {
    const auto status = node.status();
    return status ? std::string(security_of(*status)) : "";
}

}  // namespace

StateFeed::StateFeed(Node& node, std::function<void()> housekeeping)
    : node_(node), housekeeping_(std::move(housekeeping)), scope_(scope_of(node)), security_(security_at(node)) {
    thread_ = std::thread([this] { run(); });
}

StateFeed::~StateFeed() {
    close();
    thread_.join();
}

void StateFeed::close() {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const auto& viewer : viewers_) viewer->close();
    viewers_.clear();
    wake_.notify_all();
}

void StateFeed::run() {
    std::unique_lock lock(mutex_);
    while (!closing_) {
        if (viewers_.empty())
            wake_.wait_for(lock, kIdleInterval, [&] { return closing_ || !viewers_.empty(); });
        else if (!wake_.wait_for(lock, kInterval, [&] { return closing_; }))
            send(poll());
        lock.unlock();
        housekeeping_();
        lock.lock();
    }
}

std::shared_ptr<Viewer> StateFeed::subscribe() {
    const std::lock_guard lock(mutex_);
    if (closing_ || viewers_.size() >= kViewers) {
        ++counts_.refused;
        return nullptr;
    }
    send(poll());  // all viewers then continue from the same state
    auto viewer = std::make_shared<Viewer>();
    viewer->offer(std::make_shared<const std::string>(frame("state", full_state())));
    viewers_.push_back(viewer);
    wake_.notify_all();
    return viewer;
}

void StateFeed::unsubscribe(const std::shared_ptr<Viewer>& viewer) {
    const std::lock_guard lock(mutex_);
    std::erase(viewers_, viewer);
}

std::string StateFeed::state() {
    const std::lock_guard lock(mutex_);
    send(poll());
    return to_text(full_state());
}

StateFeed::Counts StateFeed::counts() const {
    const std::lock_guard lock(mutex_);
    Counts counts = counts_;
    counts.viewers = viewers_.size();
    return counts;
}

void StateFeed::send(const Json& delta) {
    if (viewers_.empty()) return;
    const auto event = std::make_shared<const std::string>(frame("delta", delta));
    Frame state;
    for (const auto& viewer : viewers_) {
        if (viewer->offer(event)) continue;
        ++counts_.fallen_behind;
        if (!state) state = std::make_shared<const std::string>(frame("state", full_state()));
        viewer->replace(state);
    }
}

Json StateFeed::poll() {
    const WallTime now = wall_time();
    Json delta = poll_nodes(now);
    delta["now"] = now.count();
    delta["ready"] = node_.is_ready();
    Json totals = Json::object();
    if (const auto counters = node_.counters()) {
        for (const char* name : kCounters) {
            const auto found = counters->find(name);
            totals[name] = found == counters->end() ? 0 : found->second;
        }
    }
    if (std::exchange(totals_, totals) != totals) delta["totals"] = std::move(totals);
    const auto changes = node_.changes(version_);
    if (changes && !changes->empty()) {
        delta["changes"] = list_of(*changes, now);
        version_ = std::ranges::max(*changes, {}, &Change::version).version;
    }
    return delta;
}

Json StateFeed::poll_nodes(WallTime now) {
    Json delta = Json::object();
    const auto views = node_.views();
    if (!views) return delta;
    std::map<std::string, Json> nodes;
    for (const auto& view : *views) {
        const std::string& name = view.node.id.name;
        WallTime since = now - view.state_age;
        const auto known = nodes_.find(name);
        if (known != nodes_.end()) {
            const WallTime sent{known->second["since"].get<WallTime::rep>()};
            if (std::chrono::abs(sent - since) < kSameMoment) since = sent;
        }
        Json node = to_json(view, since);
        if (known == nodes_.end() || known->second != node) delta["nodes"].push_back(node);
        nodes.emplace(name, std::move(node));
    }
    for (const auto& [name, node] : nodes_)
        if (!nodes.contains(name)) delta["gone"].push_back(name);
    nodes_ = std::move(nodes);
    return delta;
}

Json StateFeed::full_state() const {
    const WallTime now = wall_time();
    Json nodes = Json::array();
    for (const auto& [name, node] : nodes_) nodes.push_back(node);
    const auto changes = node_.changes(0);
    return {{"self", node_.id().name},
            {"scope", scope_},
            {"security", security_},
            {"version", MUSTER_VERSION},
            {"now", now.count()},
            {"nodes", nodes},
            {"ready", node_.is_ready()},
            {"totals", totals_},
            {"changes", changes ? list_of(*changes, now) : Json::array()}};
}

}  // namespace muster::daemon
