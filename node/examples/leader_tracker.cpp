// Of all processes of a store, one, the leader, runs the emitters of the store's subscriptions.
//
//     leader_tracker STORE NAME NODE...      NAME: of this process, its own in the store; NODE: host:port of a musterd
//
// Every process is a member of (STORE, "subscriptions"), and so is told of each subscription that comes, changes, goes:
//
//     muster notify created orders subscriptions '{"id": "s1", "version": 1, "stream": "invoices"}'
//     muster notify updated orders subscriptions '{"id": "s1", "version": 2, "stream": "payments"}'
//     muster notify deleted orders subscriptions '{"id": "s1", "version": 3}'
//
// All of them keep the table of subscriptions (a real store has it on disk, replicated); the leader alone emits what is
// in a subscription's stream, to whoever is in the group (STORE, id):
//
//     muster join orders s1
//
// Who leads: the process whose member has the smallest id (name of its node, then number) of those that this process
// sees. Nothing has to be agreed upon; when the leader dies, all see it leave, and the next one leads.
// What that guarantees: whoever sees the same members has the same leader, and all views become equal, some ms after a
// process is killed (and its grace, of musterd, is over) and 2.5 s after a host falls silent.
// What it does not: that there is one leader at every moment. While news travels, or while the network is split, two
// may emit, or none. So each event has a number, by which who gets it twice knows it. Where two leaders must never be,
// use what decides by majority (etcd, Raft).
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
    std::string stream;  // empty: deleted; remembered, so that late news of an older version does not bring it back
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
        options.on_attachment = [this](bool attached, const std::string&) { attachment(attached); };
        // Some news is lost: come back as a newcomer, to whom everything is told.
        options.on_gap = [this](std::uint64_t) { (void)worker_->leave(group_), (void)join(); };
        auto worker = muster::Worker::connect(std::move(options));
        if (!worker) return worker.error();
        worker_ = std::move(*worker);
        if (auto joined = join(); !joined) return joined.error();
        const auto watch = worker_->watch(group_, [this](const muster::WatchEvent& event) { changed(event); });
        return watch ? muster::Result<muster::Done>(muster::Done{}) : watch.error();
    }

    /// Each emitter's next event. The streams here have one event every 100 ms, numbered since 1970.
    void emit() {
        for (const auto& [id, subscription] : running()) {
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            const json event = {
                {"stream", subscription.stream}, {"number", now / std::chrono::milliseconds(100)}, {"by", name_}};
            (void)worker_->notify_created({group_.store, id}, data_of(event));  // nobody there, or no node: no event
        }
    }

private:
    muster::Result<muster::Joined> join() {
        return worker_->join(group_, [this](const muster::Notification& news) { told(news); },
                             {.meta = {{"process", name_}}});
    }

    // These three run one at a time, on the worker's thread for handlers; emit() on another.

    void told(const muster::Notification& news) try {
        const json data = json::from_msgpack(news.data.msgpack);
        const std::string id = data.at("id");
        const bool deleted = news.kind == muster::NotificationKind::deleted;
        const Subscription now{data.at("version"), deleted ? "" : data.at("stream").get<std::string>()};
        const std::lock_guard lock(mutex_);
        auto& subscription = table_[id];
        if (now.version <= subscription.version) return;  // told again, or overtaken
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
        // A newcomer knows nothing yet, and may be the next leader: whoever was first before it tells it everything.
        if (event.kind == muster::WatchEvent::Kind::join && was_first) tell_all();
        decide();
    }

    void attachment(bool attached) {
        const std::lock_guard lock(mutex_);
        attached_ = attached;  // who has lost its node sees nothing any more, and does not lead
        decide();
    }

    void tell_all() {
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
    std::map<muster::MemberId, std::string> members_;  // what the process of each is called
    bool attached_ = true;
    bool leads_ = false;
    std::unique_ptr<muster::Worker> worker_;  // ends first: its handlers use the others
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return std::fputs("usage: leader_tracker STORE NAME NODE...\n", stderr), 2;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before the worker starts threads, which inherit it

    LeaderTracker tracker(argv[1], argv[2]);
    if (const auto started = tracker.start({argv + 3, argv + argc}); !started)
        return std::fprintf(stderr, "%s\n", started.error().text.c_str()), 1;
    constexpr timespec pause{0, 100'000'000};
    while (sigtimedwait(&ends, nullptr, &pause) < 0) tracker.emit();
}
