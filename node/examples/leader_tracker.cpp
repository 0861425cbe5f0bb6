// One process of a store, the leader, emits events for the store's subscriptions. If it dies, another one takes over.
//
//     leader_tracker STORE NAME NODE...      NAME: unique name of this process; NODE: host:port of a musterd
//
// Each process is a member of (STORE, "subscriptions"), so it is notified of each new, changed or deleted subscription:
//
//     muster notify created orders subscriptions '{"id": "s1", "version": 1, "stream": "invoices"}'
//     muster notify updated orders subscriptions '{"id": "s1", "version": 2, "stream": "payments"}'
//     muster notify deleted orders subscriptions '{"id": "s1", "version": 3}'
//
// All processes keep the table of subscriptions (a real store would keep it on disk, replicated). Only the leader emits
// the events of each subscription's stream. It sends them to the group (STORE, id):
//
//     muster join orders s1
//
// The leader is the process whose member has the smallest id (name of its node, then number) among the members that a
// process sees. This needs no agreement. When the leader dies, all others see it leave, and the next one leads.
//
// Guaranteed: processes that see the same members choose the same leader. All views become equal a few ms after the
// grace period of a killed process, and 2.5 s after a host becomes silent.
//
// Not guaranteed: exactly one leader at every moment. While a change is still travelling, or while the network is
// split, two processes may emit, or none. So each event has a number by which receivers recognise duplicates. If there
// must never be two leaders, use a system that decides by majority (etcd, Raft).
#include <muster/worker.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

struct Subscription {
    std::uint64_t version = 0;
    std::string stream;  // empty: deleted; kept so that a late notification of an older version does not bring it back
};

muster::Data data_of(const json& value) {
    muster::Data data{""};
    json::to_msgpack(value, data.msgpack);
    return data;
}

class LeaderTracker {
public:
    LeaderTracker(const std::string& store, std::string name)
        : group_{store, "subscriptions"}, name_(std::move(name)) {}

    /// Errors: as connect, join and watch.
    muster::Result<muster::Done> start(std::vector<std::string> nodes) {
        muster::Worker::Options options;
        options.nodes = std::move(nodes);
        options.in_order = true;  // the first one is the node of this process's host
        options.on_attachment = [this](bool attached, const std::string&) { attachment(attached); };
        // Notifications were lost. Leave and join again: the first process sends its whole table to new members.
        options.on_gap = [this](std::uint64_t) { (void)worker_->leave(group_), (void)join(); };
        auto worker = muster::Worker::connect(std::move(options));
        if (!worker) return worker.error();
        worker_ = std::move(*worker);
        if (auto joined = join(); !joined) return joined.error();
        const auto watch = worker_->watch(group_, [this](const muster::WatchEvent& event) { changed(event); });
        return watch ? muster::Result<muster::Done>(muster::Done{}) : watch.error();
    }

    /// Emits the next event of each stream. In this example a stream has one event per 100 ms, numbered since 1970.
    void emit() {
        for (const auto& [id, subscription] : running()) {
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            const json event = {
                {"stream", subscription.stream}, {"number", now / std::chrono::milliseconds(100)}, {"by", name_}};
            (void)worker_->notify_created({group_.store, id},
                                          data_of(event));  // without members or a node, the event is dropped
        }
    }

private:
    muster::Result<muster::Joined> join() {
        return worker_->join(group_, [this](const muster::Notification& notification) { notified(notification); },
                             {.meta = {{"process", name_}}});
    }

    // The worker calls the next three one at a time, on its handler thread. emit() runs on another thread.

    void notified(const muster::Notification& notification) try {
        const json data = json::from_msgpack(notification.data.msgpack);
        const std::string id = data.at("id");
        const bool deleted = notification.kind == muster::NotificationKind::deleted;
        const Subscription now{data.at("version"), deleted ? "" : data.at("stream").get<std::string>()};
        const std::lock_guard lock(mutex_);
        auto& subscription = table_[id];
        if (now.version <= subscription.version) return;  // repeated, or older than the known version
        const bool existed = !subscription.stream.empty();
        subscription = now;
        if (leads_ && (existed || !deleted)) say(deleted ? "stops" : existed ? "changes" : "starts", id, now);
    } catch (const json::exception& error) {
        std::printf("not a subscription: %s\n", error.what());
    }

    void changed(const muster::WatchEvent& event) {
        const std::lock_guard lock(mutex_);
        if (event.kind == muster::WatchEvent::Kind::snapshot) members_.clear();
        const bool was_first = is_first();
        for (const auto& group : event.groups)
            for (const auto& member : group.members) {
                if (event.kind == muster::WatchEvent::Kind::leave)
                    members_.erase(member.id);
                else
                    members_[member.id] = member.meta.contains("process") ? member.meta.at("process") : "";
            }
        // A new member knows no subscriptions yet, and may become the leader. The previous leader sends it the table.
        if (event.kind == muster::WatchEvent::Kind::join && was_first) send_table();
        decide();
    }

    void attachment(bool attached) {
        const std::lock_guard lock(mutex_);
        attached_ = attached;  // a process without a node has an outdated view, so it must not lead
        decide();
    }

    void send_table() {
        for (const auto& [id, subscription] : table_) {
            const json data = {{"id", id}, {"version", subscription.version}, {"stream", subscription.stream}};
            const auto kind =
                subscription.stream.empty() ? muster::NotificationKind::deleted : muster::NotificationKind::updated;
            (void)worker_->notify(kind, group_, data_of(data), {});
        }
    }

    [[nodiscard]] bool is_first() const { return !members_.empty() && members_.begin()->second == name_; }

    void decide() {
        const bool leads = attached_ && is_first();
        if (leads == leads_) return;
        leads_ = leads;
        std::puts(leads ? "leads" : "follows");
        for (const auto& [id, subscription] : table_)
            if (!subscription.stream.empty()) say(leads ? "starts" : "stops", id, subscription);
    }

    std::map<std::string, Subscription> running() {
        const std::lock_guard lock(mutex_);
        auto running = leads_ ? table_ : std::map<std::string, Subscription>{};
        std::erase_if(running, [](const auto& entry) { return entry.second.stream.empty(); });
        return running;
    }

    static void say(const char* what, const std::string& id, const Subscription& subscription) {
        std::printf("%s %s %s\n", what, id.c_str(), subscription.stream.c_str());
    }

    const muster::Group group_;
    const std::string name_;
    std::mutex mutex_;
    std::map<std::string, Subscription> table_;        // by id
    std::map<muster::MemberId, std::string> members_;  // name of each member's process
    bool attached_ = true;
    bool leads_ = false;
    std::unique_ptr<muster::Worker> worker_;  // destroyed first, because its handlers use the other members
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return std::fputs("usage: leader_tracker STORE NAME NODE...\n", stderr), 2;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before the worker starts threads, which inherit the mask

    LeaderTracker tracker(argv[1], argv[2]);
    if (const auto started = tracker.start({argv + 3, argv + argc}); !started)
        return std::fprintf(stderr, "%s\n", started.error().text.c_str()), 1;
    constexpr timespec pause{0, 100'000'000};
    while (sigtimedwait(&ends, nullptr, &pause) < 0) tracker.emit();
}
