// Maintains the server list of a load balancer. The servers are the members of a group, with their addresses in the
// metadata.
//
//     upstream_list STORE FEATURE FILE COMMAND NODE...
//
//     upstream_list web backends /etc/nginx/conf.d/web.conf 'nginx -s reload' 127.0.0.1:7100 127.0.0.1:7200
//     muster join web backends --meta address=10.0.0.7:8080      # or better, the server joins itself
//
// It attaches to the given nodes and to no others. The file is replaced atomically, then COMMAND is run. Changes within
// a short time are written together.
//
// Some changes may only mean that this program's node has lost contact with others, and not that servers are gone: a
// new snapshot (after this program has moved to another node), and leaves because a node is down. These are written
// only after a delay. An empty list is never written: nginx does not load one, and servers that may be gone are no
// worse than no servers. A node that has not synced yet serves no watches, so no snapshot comes from an empty table.
#include <muster/worker.hpp>

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kQuiet = std::chrono::milliseconds(200);  // without another change, before the list is written
constexpr auto kLongest = std::chrono::seconds(2);       // after the first change, also if more follow
constexpr auto kDoubtful = std::chrono::seconds(2);      // before an uncertain change is written

/// Every process that may join chooses this text, and it is written into a configuration file. Accept only addresses.
bool is_address(const std::string& text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
    });
    return plain && text.find(':') != std::string::npos;
}

class Upstream {
public:
    Upstream(std::string name, std::string file, std::string command)
        : name_(std::move(name)), file_(std::move(file)), command_(std::move(command)) {}

    void changed(const muster::WatchEvent& event) {
        using Kind = muster::WatchEvent::Kind;
        const std::lock_guard lock(mutex_);
        const auto now = Clock::now();
        if (event.kind == Kind::snapshot) addresses_.clear();
        for (const auto& group : event.groups)
            for (const auto& member : group.members) take(member, event.kind != Kind::leave);
        const bool doubtful =
            event.kind == Kind::snapshot || (event.kind == Kind::leave && event.reason == muster::Reason::node_down);
        if (doubtful) not_before_ = now + kDoubtful;
        if (!changed_) first_change_ = now;
        last_change_ = now;
        changed_ = true;
        wake_.notify_all();
    }

    /// Writes the list when it is due, until end() is called.
    void keep_written() {
        std::unique_lock lock(mutex_);
        while (!ends_) {
            const auto due = std::max(std::min(last_change_ + kQuiet, first_change_ + kLongest), not_before_);
            if (!changed_) {
                wake_.wait(lock);
            } else if (Clock::now() < due) {
                wake_.wait_until(lock, due);
            } else {
                changed_ = false;
                std::set<std::string> servers;
                for (const auto& [id, address] : addresses_) servers.insert(address);
                lock.unlock();
                write(servers);
                lock.lock();
            }
        }
    }

    void end() {
        const std::lock_guard lock(mutex_);
        ends_ = true;
        wake_.notify_all();
    }

private:
    void take(const muster::Member& member, bool is_there) {
        const auto address = member.meta.find("address");
        if (!is_there)
            addresses_.erase(member.id);
        else if (address != member.meta.end() && is_address(address->second))
            addresses_[member.id] = address->second;
        else
            std::printf("%s ignored: its metadata has no valid address=host:port\n", to_string(member.id).c_str());
    }

    void write(const std::set<std::string>& servers) {
        if (servers.empty()) return (void)std::puts("no servers: the list is not changed");
        std::string text = "upstream " + name_ + " {\n";
        for (const auto& server : servers) text += "    server " + server + ";\n";
        text += "}\n";
        std::stringstream before;
        before << std::ifstream(file_).rdbuf();
        if (before.str() == text) return;
        // Write a new file and rename it, so that readers find either the old list or the new one, complete.
        const std::string fresh = file_ + ".new";
        std::FILE* out = std::fopen(fresh.c_str(), "w");
        bool good = out != nullptr && std::fputs(text.c_str(), out) >= 0 && std::fflush(out) == 0;
        good = good && ::fsync(::fileno(out)) == 0;
        if (out != nullptr) good = std::fclose(out) == 0 && good;
        if (!good || std::rename(fresh.c_str(), file_.c_str()) != 0) return std::perror(fresh.c_str());
        std::printf("wrote %zu servers\n", servers.size());
        if (std::system(command_.c_str()) != 0) std::printf("failed: %s\n", command_.c_str());
    }

    const std::string name_, file_, command_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<muster::MemberId, std::string> addresses_;
    bool changed_ = false, ends_ = false;
    Clock::time_point first_change_, last_change_, not_before_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 6) return std::fputs("usage: upstream_list STORE FEATURE FILE COMMAND NODE...\n", stderr), 2;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before threads start, which inherit the mask

    Upstream upstream(std::string(argv[1]) + "_" + argv[2], argv[3], argv[4]);
    const auto worker = muster::Worker::connect({.nodes = {argv + 5, argv + argc}, .listed_only = true});
    if (!worker) return std::fprintf(stderr, "%s\n", worker.error().text.c_str()), 1;
    const auto watch =
        (*worker)->watch({argv[1], argv[2]}, [&upstream](const muster::WatchEvent& event) { upstream.changed(event); });
    if (!watch) return std::fprintf(stderr, "%s\n", watch.error().text.c_str()), 1;
    std::jthread writer([&upstream] { upstream.keep_written(); });
    int signal = 0;
    sigwait(&ends, &signal);
    (*worker)->close();
    upstream.end();
}
