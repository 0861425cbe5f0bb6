#include <mutex>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/cli/waiter.hpp"
#include "proto/validate.hpp"

namespace muster::cli {
namespace {

/// Prints each notification in one line, until `most` were printed.
class Listener {
public:
    Listener(const Settings& settings, std::uint64_t most, Waiter& waiter)
        : json_(settings.json), most_(most), waiter_(waiter) {}

    /// While the lock is held, no notification is printed. Hold it until "joined" is printed.
    std::unique_lock<std::mutex> hold() { return std::unique_lock(mutex_); }

    /// Call it before `joined`, while the lock is held.
    void serve(Worker& worker, const Group& group) {
        worker_ = &worker;
        group_ = group;
    }
    void joined(const std::vector<MemberId>& members) const { print_ids("joined", members, {}); }
    /// Called on the worker's handler thread. After a loss, the members have joined again when a call is answered.
    void attachment(bool attached, const std::string& text) {
        const std::lock_guard lock(mutex_);
        if (!attached) complain(text + "; reconnecting");
        lost_ = lost_ || !attached;
        if (!attached || !lost_ || worker_ == nullptr) return;
        const auto members = worker_->local_members(group_);
        if (!members) return;  // lost again: the next attachment is reported
        lost_ = false;
        complain(text);
        std::vector<MemberId> own;
        for (const auto& member : *members)
            if (member.worker == worker_->name()) own.push_back(member.id);
        print_ids("rejoined", own, worker_->node().id.name);
    }
    void notified(const Notification& notification) {
        const std::lock_guard lock(mutex_);
        if (most_ != 0 && seen_ == most_) return;
        const std::string kind(to_string(notification.kind));
        if (json_) {
            print_json(Json{{"event", kind},
                            {"store", notification.group.store},
                            {"feature", notification.group.feature},
                            {"data", Json::parse(to_json(notification.data), nullptr, false)},
                            {"from", sender_of(notification)},
                            {"seq", notification.seq},
                            {"group_seq", notification.group_seq}});
        } else {
            print(kind + ' ' + name_of(notification.group) + ' ' + to_json(notification.data) + " from " +
                  sender_of(notification));
        }
        if (++seen_ == most_) waiter_.finish();
    }
    void missed(const Worker::Gap& gap) {
        const std::lock_guard lock(mutex_);
        json_ ? print_json(Json{{"event", "gap"}, {"missed", gap.missed}, {"at_least", gap.at_least}})
              : print("gap: " + counted(gap.missed, "notification") + (gap.at_least ? " or more" : "") + " lost");
    }

private:
    /// `node`: empty if it is not said.
    void print_ids(const std::string& event, const std::vector<MemberId>& members, const std::string& node) const {
        if (json_) {
            Json object{{"event", event}, {"members", ids_of(members)}};
            if (!node.empty()) object["node"] = node;
            return print_json(object);
        }
        std::string ids;
        for (const auto& id : members) ids += ' ' + to_string(id);
        print(event + ' ' + name_of(group_) + ids);
    }

    const bool json_;
    const std::uint64_t most_;
    Waiter& waiter_;
    std::mutex mutex_;
    std::uint64_t seen_ = 0;
    Worker* worker_ = nullptr;
    Group group_;
    bool lost_ = false;
};

Result<Meta> parse_meta(const std::vector<std::string>& pairs) {
    Meta meta;
    for (const auto& pair : pairs) {
        const auto at = pair.find('=');
        if (at == std::string::npos || at == 0)
            return Error{ErrorCode::bad_request, "--meta '" + pair + "' has no key and value: write --meta KEY=VALUE"};
        if (!meta.emplace(pair.substr(0, at), pair.substr(at + 1)).second)
            return Error{ErrorCode::bad_request, "--meta has the key '" + pair.substr(0, at) + "' twice: give it once"};
    }
    if (auto why = proto::why_invalid(meta); !why.empty()) return Error{ErrorCode::bad_request, "--meta: " + why};
    return meta;
}

}  // namespace

int join(const Settings& settings, const JoinArguments& arguments) {
    auto meta = parse_meta(arguments.meta);
    if (!meta) return fail(meta.error());

    Waiter waiter;
    Listener listener(settings, arguments.stay.events, waiter);
    Worker::Options options;
    options.on_gap = [&](const Worker::Gap& gap) { listener.missed(gap); };
    options.on_attachment = [&](bool attached, const std::string& text) { listener.attachment(attached, text); };
    options.state_file = arguments.state;
    options.on_state_lost = [](const std::string& text) { complain(text); };
    const auto worker = attach(settings, std::move(options), waiter.signals());
    if (!worker) return fail(worker.error());

    JoinOptions how;
    how.count = arguments.count;
    how.meta = std::move(*meta);
    how.visible = arguments.visible;
    {
        const auto first = listener.hold();
        listener.serve(**worker, arguments.group);
        const auto joined = (*worker)->join(
            arguments.group, [&](const Notification& notification) { listener.notified(notification); }, how);
        if (!joined) return fail(joined.error());
        waiter.expire_after(arguments.stay.seconds);
        listener.joined(joined->members);
        if (joined->unseen > 0)
            complain(counted(joined->unseen, "node") +
                     " did not confirm the join in time: wait a moment before you rely on it");
    }
    return Waiter::status_of(waiter.wait());
}

}  // namespace muster::cli
