#include <mutex>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/cli/waiter.hpp"

namespace muster::cli {
namespace {

/// Prints each notification in one line, until `most` were printed.
class Listener {
public:
    Listener(const Settings& settings, std::uint64_t most, Waiter& waiter)
        : json_(settings.json), most_(most), waiter_(waiter) {}

    /// While the lock is held, no notification is printed. Hold it until "joined" is printed.
    std::unique_lock<std::mutex> hold() { return std::unique_lock(mutex_); }

    void joined(const Group& group, const std::vector<MemberId>& members) const {
        if (json_) return print_json(Json{{"event", "joined"}, {"members", ids_of(members)}});
        std::string ids;
        for (const auto& id : members) ids += ' ' + to_string(id);
        print("joined " + name_of(group) + ids);
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
                            {"seq", notification.seq}});
        } else {
            print(kind + ' ' + name_of(notification.group) + ' ' + to_json(notification.data) + " from " +
                  sender_of(notification));
        }
        if (++seen_ == most_) waiter_.finish();
    }
    void missed(std::uint64_t count) {
        const std::lock_guard lock(mutex_);
        json_ ? print_json(Json{{"event", "gap"}, {"missed", count}})
              : print("gap: " + counted(count, "notification") + " lost");
    }

private:
    const bool json_;
    const std::uint64_t most_;
    Waiter& waiter_;
    std::mutex mutex_;
    std::uint64_t seen_ = 0;
};

Result<Meta> parse_meta(const std::vector<std::string>& pairs) {
    Meta meta;
    for (const auto& pair : pairs) {
        const auto at = pair.find('=');
        if (at == std::string::npos || at == 0)
            return Error{ErrorCode::bad_request, "--meta '" + pair + "' has no key and value: write --meta KEY=VALUE"};
        meta[pair.substr(0, at)] = pair.substr(at + 1);
    }
    return meta;
}

}  // namespace

int join(const Settings& settings, const JoinArguments& arguments) {
    auto meta = parse_meta(arguments.meta);
    if (!meta) return fail(meta.error());

    Waiter waiter;
    Listener listener(settings, arguments.stay.events, waiter);
    Worker::Options options;
    options.on_gap = [&](std::uint64_t missed) { listener.missed(missed); };
    options.on_attachment = [](bool attached, const std::string& text) {
        if (!attached) complain(text + "; reconnecting");
    };
    options.state_file = arguments.state;
    options.on_state_lost = [](const std::string& text) { complain(text); };
    const auto worker = attach(settings, std::move(options));
    if (!worker) return fail(worker.error());

    JoinOptions how;
    how.count = arguments.count;
    how.meta = std::move(*meta);
    how.visible = arguments.visible;
    {
        const auto first = listener.hold();
        const auto joined = (*worker)->join(
            arguments.group, [&](const Notification& notification) { listener.notified(notification); }, how);
        if (!joined) return fail(joined.error());
        listener.joined(arguments.group, joined->members);
        if (joined->unseen > 0)
            complain(counted(joined->unseen, "node") +
                     " did not confirm the join in time: wait a moment before you rely on it");
    }
    const auto outcome = waiter.wait(arguments.stay.seconds);
    (*worker)->close();  // waits for handlers, so nothing is printed afterwards
    return outcome == Waiter::Outcome::time_out ? kTimeout : kDone;
}

}  // namespace muster::cli
