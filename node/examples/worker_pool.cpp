// Distributes jobs over a pool of workers that may come and go. Each job is sent to one worker, and to another one if
// the first did not complete it.
//
//     worker_pool work NODE...             runs a worker; start any number of them, anywhere, at any time
//     worker_pool give JOBS NODE...        distributes that many jobs, and exits when all are done
//
// A notification goes to all members of a group. So each worker is the only member of a group of its own, its inbox. In
// ("pool", "workers") it only announces itself and the name of its inbox. With `wait`, the report says whether the job
// is done ("delivered" means that the handler has returned), or why not.
//
// No job is lost: a job without a successful report is sent again. A job may be done twice, if a worker dies between
// the work and the report. The program counts how often jobs were sent again and why, which bounds the number of
// duplicates. If a job must not be done twice, store its id together with its effect.
#include <muster/worker.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

const muster::Group kWorkers{"pool", "workers"};

int fail(const muster::Error& error) {
    return std::fprintf(stderr, "%s\n", error.text.c_str()), 1;
}

/// Runs a worker until SIGINT or SIGTERM.
int work(std::vector<std::string> nodes) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before the worker starts threads, which inherit the mask

    const auto worker = muster::Worker::connect({.nodes = std::move(nodes)});
    if (!worker) return fail(worker.error());
    const std::string inbox = "inbox of " + (*worker)->name();
    const auto job = [](const muster::Notification& given) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the work
        std::printf("did %s\n", to_json(given.data).c_str());
    };
    // Join the inbox first. Other nodes see a worker's joins in order, so if they see the worker, they see its inbox.
    const auto joined = (*worker)->join({"pool", inbox}, job);
    if (!joined) return fail(joined.error());
    const auto there = (*worker)->join(kWorkers, {}, {.meta = {{"inbox", inbox}}});
    if (!there) return fail(there.error());
    std::puts("works");

    int signal = 0;
    sigwait(&ends, &signal);
    (void)(*worker)->leave(kWorkers);  // jobs that still arrive are reported as `left`, and are sent to another worker
    return 0;
}

class Giver {
public:
    explicit Giver(std::uint64_t jobs) : total_(jobs) {
        for (std::uint64_t job = 1; job <= jobs; ++job) waiting_.push_back(job);
    }

    int run(std::vector<std::string> nodes) {
        auto worker = muster::Worker::connect({.nodes = std::move(nodes)});
        if (!worker) return fail(worker.error());
        worker_ = std::move(*worker);
        const auto watch = worker_->watch(kWorkers, [this](const muster::WatchEvent& event) { changed(event); });
        if (!watch) return fail(watch.error());
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return done_ == total_; });
        }
        worker_->unwatch(*watch);  // no new lanes from here on
        lanes_.clear();            // waits for their threads
        tell();
        return 0;
    }

private:
    void changed(const muster::WatchEvent& event) {
        const std::lock_guard lock(mutex_);
        if (event.kind == muster::WatchEvent::Kind::snapshot) {  // known workers keep their lanes
            std::set<muster::MemberId> now;
            for (const auto& group : event.groups)
                for (const auto& member : group.members) now.insert(member.id);
            std::erase_if(there_, [&](const auto& id) { return !now.contains(id); });
        }
        for (const auto& group : event.groups)
            for (const auto& member : group.members) {
                if (event.kind == muster::WatchEvent::Kind::leave) {
                    there_.erase(member.id);
                } else if (member.meta.contains("inbox") && there_.insert(member.id).second) {
                    lanes_.emplace_back([this, id = member.id, inbox = muster::Group{"pool", member.meta.at("inbox")}] {
                        give_to(id, inbox);
                    });
                }
            }
        wake_.notify_all();
    }

    /// Sends one job after the other while the worker is in the pool.
    void give_to(const muster::MemberId& id, const muster::Group& inbox) {
        while (const auto job = next(id)) {
            const auto data = muster::data_from_json(std::to_string(*job));
            settle(id, *job,
                   worker_->notify_created(inbox, *data, {.wait = true, .timeout = std::chrono::seconds(30)}));
        }
    }

    std::optional<std::uint64_t> next(const muster::MemberId& id) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !there_.contains(id) || done_ == total_ || !waiting_.empty(); });
        if (!there_.contains(id) || waiting_.empty()) return std::nullopt;
        const std::uint64_t job = waiting_.front();
        waiting_.pop_front();
        return job;
    }

    void settle(const muster::MemberId& id, std::uint64_t job, const muster::Result<muster::NotifyReport>& report) {
        std::unique_lock lock(mutex_);
        if (report && report->delivered > 0) {
            ++done_;
            return wake_.notify_all();
        }
        waiting_.push_back(job);
        ++again_[why(report)];
        wake_.notify_all();
        // The worker may be gone. Wait for its leave before the next job; it is not urgent if the worker is still
        // there.
        wake_.wait_for(lock, std::chrono::milliseconds(100), [&] { return !there_.contains(id); });
    }

    static std::string why(const muster::Result<muster::NotifyReport>& report) {
        if (!report) return std::string(to_string(report.error().code));
        return report->missed.empty() ? "no member" : std::string(to_string(report->missed.front().reason));
    }

    void tell() const {
        std::uint64_t again = 0;
        std::string why;
        for (const auto& [reason, times] : again_) {
            again += times;
            why += " " + reason + " " + std::to_string(times) + ",";
        }
        if (!why.empty()) why.back() = ' ';
        std::printf("%lu jobs done, %lu sent again:%s\n", done_, again, why.empty() ? " none" : why.c_str());
    }

    std::unique_ptr<muster::Worker> worker_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::uint64_t> waiting_;
    const std::uint64_t total_;
    std::uint64_t done_ = 0;
    std::map<std::string, std::uint64_t> again_;  // by reason
    std::set<muster::MemberId> there_;
    std::vector<std::jthread> lanes_;  // one per worker that was ever in the pool
};

}  // namespace

int main(int argc, char** argv) {
    const std::string role = argc > 1 ? argv[1] : "";
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (role == "work" && argc > 2) return work({argv + 2, argv + argc});
    if (role == "give" && argc > 3) return Giver(std::strtoull(argv[2], nullptr, 10)).run({argv + 3, argv + argc});
    return std::fputs("usage: worker_pool work NODE... | worker_pool give JOBS NODE...\n", stderr), 2;
}
