// Keeps a load balancer's list of servers: those that are in a group, each with its address in its metadata.
//
//     upstream_list STORE FEATURE FILE COMMAND NODE...
//
//     upstream_list web backends /etc/nginx/conf.d/web.conf 'nginx -s reload' 127.0.0.1:7100 127.0.0.1:7200
//     muster join web backends --meta address=10.0.0.7:8080      # or a join by the server itself, which is better
//
// The file is replaced as a whole, and COMMAND run after it. Changes that come close together are written once. What
// may be the blindness of the node that is asked, rather than the end of servers, has to last: a whole new view (after
// this program was attached to another node) and servers whose node was lost. An empty list is never written: nginx
// does not load one, and servers that are perhaps gone are no worse than none. A node that has not synced yet serves no
// watcher.
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

constexpr auto kQuiet = std::chrono::milliseconds(200);  // without a change, before it is written
constexpr auto kLongest = std::chrono::seconds(2);       // after the first change, whatever comes then
constexpr auto kDoubtful = std::chrono::seconds(2);      // what may be no end of servers has to last so long

/// Anybody who may join may write anything there, and it goes into a program's configuration.
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
        news_.notify_all();
    }

    /// Writes whenever it is due, until `end`.
    void keep_written() {
        std::unique_lock lock(mutex_);
        while (!ends_) {
            const auto due = std::max(std::min(last_change_ + kQuiet, first_change_ + kLongest), not_before_);
            if (!changed_) {
                news_.wait(lock);
            } else if (Clock::now() < due) {
                news_.wait_until(lock, due);
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
        news_.notify_all();
    }

private:
    void take(const muster::Member& member, bool is_there) {
        const auto address = member.meta.find("address");
        if (!is_there)
            addresses_.erase(member.id);
        else if (address != member.meta.end() && is_address(address->second))
            addresses_[member.id] = address->second;
        else
            std::printf("%s has no address=host:port that could be written\n", to_string(member.id).c_str());
    }

    void write(const std::set<std::string>& servers) {
        if (servers.empty()) return (void)std::puts("nobody is there: the list stays as it is");
        std::string text = "upstream " + name_ + " {\n";
        for (const auto& server : servers) text += "    server " + server + ";\n";
        text += "}\n";
        std::stringstream before;
        before << std::ifstream(file_).rdbuf();
        if (before.str() == text) return;
        // Beside it and then in its place: whoever reads the file finds the old list or the new one, whole.
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
    std::condition_variable news_;
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
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before any thread starts, which inherit it

    Upstream upstream(std::string(argv[1]) + "_" + argv[2], argv[3], argv[4]);
    const auto worker = muster::Worker::connect({.nodes = {argv + 5, argv + argc}});
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
