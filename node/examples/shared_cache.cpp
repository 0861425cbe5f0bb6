// A cache in front of a database, in several processes on several hosts. A process that changes a value notifies all
// others, which then drop it from their caches.
//
//     shared_cache NAME LISTEN DATABASE [SEED...]
//
//     shared_cache web-1 10.0.0.1:7400 /srv/prices                      # on one host
//     shared_cache web-2 10.0.0.2:7400 /srv/prices 10.0.0.1:7400        # on another
//
// Then type `get KEY` and `set KEY VALUE`. The database is a folder with one file per key. Each process is itself a
// node of the cluster, so there is no daemon. On addresses other than loopback, give the nodes keys (or `insecure`).
//
// After `set` prints "told N of N", no reachable process has the old value: a notification counts as delivered when its
// handler has returned. An unreachable process gets the notification when it is reachable again, or it gets a gap and
// drops all values. Until then it may serve the old value, so no value is kept for longer than a minute.
#include <muster/node.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

const muster::Group kCaches{"prices", "caches"};
constexpr auto kLongest = std::chrono::minutes(1);

class Database {
public:
    explicit Database(std::filesystem::path folder) : folder_(std::move(folder)) {}

    [[nodiscard]] std::string read(const std::string& key) const {
        std::string value;
        std::getline(std::ifstream(folder_ / key), value);
        return value;
    }
    void write(const std::string& key, const std::string& value) const {
        const auto fresh = folder_ / ("." + key + std::to_string(Clock::now().time_since_epoch().count()));
        std::ofstream(fresh) << value << '\n';
        std::filesystem::rename(fresh, folder_ / key);
    }

private:
    std::filesystem::path folder_;
};

class Cache {
public:
    explicit Cache(Database database) : database_(std::move(database)) {}

    std::string get(const std::string& key) {
        std::uint64_t forgotten = 0;
        {
            const std::lock_guard lock(mutex_);
            const auto found = values_.find(key);
            if (found != values_.end() && found->second.until > Clock::now()) return "cached " + found->second.value;
            forgotten = forgotten_;
        }
        std::string value = database_.read(key);
        const std::lock_guard lock(mutex_);
        // If a notification arrived during the read, `value` may be the old one, and no other notification would
        // follow.
        if (forgotten == forgotten_) values_[key] = {value, Clock::now() + kLongest};
        return "read " + value;
    }

    void forget(const std::string& key) {
        const std::lock_guard lock(mutex_);
        ++forgotten_;
        values_.erase(key);
    }
    void forget_all() {
        const std::lock_guard lock(mutex_);
        ++forgotten_;
        values_.clear();
    }

private:
    struct Value {
        std::string value;
        Clock::time_point until;
    };
    const Database database_;
    std::mutex mutex_;
    std::map<std::string, Value> values_;
    std::uint64_t forgotten_ = 0;  // number of notifications and gaps so far
};

muster::Data data_of(const std::string& key) {
    muster::Data data{""};
    nlohmann::json::to_msgpack(key, data.msgpack);
    return data;
}

/// Writes first and notifies then, so a process that reads again after the notification reads the new value.
std::string set(const Database& database, muster::Node& node, const std::string& key, const std::string& value) {
    database.write(key, value);
    const auto report = node.notify_updated(kCaches, data_of(key), {.wait = true});
    if (!report) return "not told: " + report.error().text;
    std::string text = "told " + std::to_string(report->delivered) + " of " + std::to_string(report->matched);
    for (const auto& missed : report->missed)
        text += ", " + missed.node + " not: " + std::string(to_string(missed.reason));
    return text;
}

void converse(const Database& database, Cache& cache, muster::Node& node) {
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb, key, value;
        words >> verb >> key >> std::ws;
        std::getline(words, value);
        const bool valid = !key.empty() && key.find('/') == std::string::npos && key.front() != '.';
        if (verb == "get" && valid)
            std::cout << cache.get(key) << std::endl;
        else if (verb == "set" && valid)
            std::cout << set(database, node, key, value) << std::endl;
        else
            std::cout << "say `get KEY` or `set KEY VALUE`" << std::endl;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return std::fputs("usage: shared_cache NAME LISTEN DATABASE [SEED...]\n", stderr), 2;
    const Database database(argv[3]);
    Cache cache(database);

    muster::Node::Options options{.name = argv[1], .listen = argv[2], .seeds = {argv + 4, argv + argc}};
    options.on_gap = [&cache](const muster::Group&, std::uint64_t) { cache.forget_all(); };
    const auto node = muster::Node::start(std::move(options));
    if (!node) return std::fprintf(stderr, "%s\n", node.error().text.c_str()), 1;
    (*node)->wait_ready(std::chrono::seconds(10));

    const auto changed = [&cache](const muster::Notification& notification) {
        const auto key = nlohmann::json::from_msgpack(notification.data.msgpack, true, false);
        key.is_string() ? cache.forget(key.get<std::string>()) : cache.forget_all();
    };
    // Visible: cache nothing before every live node knows this member, so that each later change notifies it.
    const auto joined = (*node)->join(kCaches, changed, {.visible = true});
    if (!joined) return std::fprintf(stderr, "%s\n", joined.error().text.c_str()), 1;
    std::cout << "ready at " << (*node)->address() << std::endl;
    converse(database, cache, **node);
}
