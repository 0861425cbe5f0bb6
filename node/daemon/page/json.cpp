#include "node/daemon/page/json.hpp"

#include <algorithm>

namespace muster::daemon {
namespace {

constexpr std::chrono::milliseconds kQuiet{1500};  // shorter silence is normal: several heartbeats

/// Seconds of silence; 0 while it is normal. So the record of a healthy node does not change all the time.
std::int64_t silence(const NodeView& view) {
    return view.heard_age < kQuiet ? 0 : std::chrono::duration_cast<std::chrono::seconds>(view.heard_age).count();
}

}  // namespace

WallTime wall_time() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<WallTime>(since);
}

Json to_json(const Group& group) {
    return Json::array({group.store, group.feature});
}

Json to_json(const Change& change, WallTime now) {
    Json groups = Json::array();
    for (const auto& group : change.groups) groups.push_back(to_json(group));
    const bool has_reason = change.kind == Change::Kind::left || change.reason == Reason::moved;
    return {{"id", change.id},
            {"kind", to_string(change.kind)},
            {"at", (now - change.age).count()},
            {"last", (now - change.last_age).count()},
            {"node", change.node},
            {"text", change.text},
            {"reason", has_reason ? to_string(change.reason) : ""},
            {"members", change.members},
            {"groups", std::move(groups)},
            {"more", change.more_groups}};
}

Json to_json(const Member& member) {
    return {{"node", member.id.node.name},
            {"incarnation", std::to_string(member.id.node.incarnation.value)},
            {"number", std::to_string(member.id.number.value)},
            {"worker", member.worker},
            {"meta", member.meta.get()}};
}

Json to_json(const NodeView& view, WallTime since) {
    return {{"name", view.node.id.name},
            {"incarnation", std::to_string(view.node.id.incarnation.value)},
            {"state", to_string(view.node.state)},
            {"address", view.node.address},
            {"workers", view.node.workers},
            {"draining", view.node.draining},
            {"since", since.count()},
            {"silent", silence(view)},
            {"via", view.via},
            {"silent_channels", view.silent_channels},
            {"shown", view.shown},
            {"behind", view.known - std::min(view.known, view.applied)},
            {"groups", view.groups},
            {"members", view.members},
            {"sent", view.notices_sent},
            {"received", view.notices_received},
            {"waiting", view.waiting}};
}

std::string to_text(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace muster::daemon
