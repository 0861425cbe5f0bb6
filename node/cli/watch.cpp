#include <mutex>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/cli/waiter.hpp"

namespace muster::cli {
namespace {

bool has_reason(const WatchEvent& event) {
    return event.kind == WatchEvent::Kind::leave || event.reason == Reason::moved;
}

Json json_of(const WatchEvent& event) {
    Json object = {{"event", std::string(to_string(event.kind))}};
    if (event.kind == WatchEvent::Kind::snapshot) {
        object["groups"] = Json::array();
        for (const auto& group : event.groups) object["groups"].push_back(cli::json_of(group));
        return object;
    }
    for (const auto& [group, members] : event.groups) {
        object["store"] = group.store;
        object["feature"] = group.feature;
        object["members"] = ids_of(members);
    }
    if (has_reason(event)) object["reason"] = std::string(to_string(event.reason));
    return object;
}

void print_text(const WatchEvent& event) {
    const bool is_snapshot = event.kind == WatchEvent::Kind::snapshot;
    if (is_snapshot) print("snapshot of " + counted(event.groups.size(), "group"));
    for (const auto& [group, members] : event.groups) {
        std::string line = (is_snapshot ? "  " : std::string(to_string(event.kind)) + ' ') + name_of(group);
        for (const auto& member : members) line += ' ' + to_string(member.id);
        if (has_reason(event)) line += " (" + std::string(to_string(event.reason)) + ')';
        print(line);
    }
}

/// Prints events, until `most` joins and leaves were printed.
class Watcher {
public:
    Watcher(bool json, std::uint64_t most, Waiter& waiter) : json_(json), most_(most), waiter_(waiter) {}

    /// Called on the worker's handler thread only.
    void take(const WatchEvent& event) {
        if (most_ != 0 && seen_ == most_) return;
        json_ ? print_json(json_of(event)) : print_text(event);
        if (event.kind != WatchEvent::Kind::snapshot && ++seen_ == most_) waiter_.finish();
    }

private:
    const bool json_;
    const std::uint64_t most_;
    Waiter& waiter_;
    std::uint64_t seen_ = 0;
};

}  // namespace

int watch(const Settings& settings, const Group& group, const Stay& stay) {
    Waiter waiter;
    Watcher watcher(settings.json, stay.events, waiter);
    Worker::Options options;
    options.on_attachment = [lost = false](bool attached, const std::string& text) mutable {
        if (!attached || lost) complain(text + (attached ? "" : "; reconnecting"));
        lost = !attached;
    };
    const auto worker = attach(settings, std::move(options), waiter.signals());
    if (!worker) return fail(worker.error());

    const auto handler = [&](const WatchEvent& event) { watcher.take(event); };
    const bool all = group.store.empty() && group.feature.empty();
    const auto watching = all ? (*worker)->watch_all(handler) : (*worker)->watch(group, handler);
    if (!watching) return fail(watching.error());
    waiter.expire_after(stay.seconds);
    return Waiter::status_of(waiter.wait());
}

}  // namespace muster::cli
