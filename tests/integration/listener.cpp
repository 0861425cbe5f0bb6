#include "tests/integration/listener.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr milliseconds kBetweenReads{10};

void tell(Told& told, const std::string& id, const std::string& what, bool is_there) {
    const bool changes = is_there ? told.table.insert(id).second : told.table.erase(id) == 1;
    if (!changes) told.contradictions.push_back(what + ' ' + id);
    auto& story = told.story[id];
    story += (story.empty() ? "" : ", ") + what;
}

}  // namespace

bool is_event(const std::string& line, const std::string& event) {
    return Json::parse(line).value("event", "") == event;
}

Json Listener::wait_for(const std::string& event, milliseconds timeout) const {
    const auto line = process_->wait_for_line([&](const std::string& l) { return is_event(l, event); }, timeout);
    return line ? Json::parse(*line) : Json();
}

Listener join(const Cluster& cluster, std::size_t node, std::vector<std::string> more) {
    std::vector<std::string> arguments{"join", "orders", "subscriptions", "--visible"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Listener worker(cluster.stay(node, arguments));
    EXPECT_FALSE(worker.wait_for("joined").is_null());
    return worker;
}

Listener watch(const Cluster& cluster, std::size_t node) {
    Listener watcher(cluster.stay(node, {"watch"}));
    EXPECT_FALSE(watcher.wait_for("snapshot").is_null());
    return watcher;
}

Json last_line(const Finished& done) {
    EXPECT_FALSE(done.lines.empty()) << done.errors;
    return done.lines.empty() ? Json() : Json::parse(done.lines.back());
}

Json ask(const Cluster& cluster, std::size_t node, const std::vector<std::string>& arguments) {
    const auto done = cluster.muster(node, arguments);
    EXPECT_EQ(done.status, 0) << done.errors;
    return last_line(done);
}

Json notify(const Cluster& cluster, std::size_t node, const std::string& data, std::vector<std::string> more) {
    more.insert(more.begin(), {"notify", "created", "orders", "subscriptions", data});
    return ask(cluster, node, more);
}

Json members(const Cluster& cluster, std::size_t node) {
    return ask(cluster, node, {"members", "orders", "subscriptions"})["members"];
}

Ids operator+(Ids left, const Ids& right) {
    left.insert(right.begin(), right.end());
    return left;
}

Ids table(const Cluster& cluster, std::size_t node) {
    Ids ids;
    for (const auto& member : members(cluster, node)) ids.insert(member["id"]);
    return ids;
}

Ids ids(const Listener& worker) {
    for (const auto& line : worker->lines())
        if (is_event(line, "joined")) return Json::parse(line)["members"].get<Ids>();
    return {};
}

Told told(const Listener& watcher) {
    Told told;
    for (const auto& line : watcher->lines()) {
        const auto event = Json::parse(line);
        const std::string kind = event["event"];
        if (kind == "snapshot") {
            for (const auto& group : event["groups"])
                for (const auto& member : group["members"]) tell(told, member["id"], "there", true);
        } else {
            const std::string what = kind == "join" ? kind : event["reason"].get<std::string>();
            for (const auto& id : event["members"]) tell(told, id, what, kind == "join");
        }
    }
    return told;
}

std::vector<std::string> received(const Listener& worker) {
    std::vector<std::string> list;
    for (const auto& line : worker->lines()) {
        const auto event = Json::parse(line);
        if (event.contains("data")) {
            const std::string from = event["from"];
            list.push_back(from.substr(0, from.find('/')) + '#' + event["seq"].dump() + ' ' + event["data"].dump());
        }
        if (event["event"] == "gap") list.push_back("gap " + event["missed"].dump());
    }
    return list;
}

bool eventually(const std::function<bool()>& holds, milliseconds timeout) {
    const auto until = Clock::now() + hurried(timeout);
    while (!holds()) {
        if (Clock::now() >= until) return false;
        std::this_thread::sleep_for(kBetweenReads);
    }
    return true;
}

}  // namespace muster::test
