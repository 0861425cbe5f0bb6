// bench_nats: one publisher and subscribers of one subject in three processes, against a nats-server on this machine.
//   fanout   3, 30, 300 subscribers: sustained, and one at a time until each has told by a byte in a pipe
//   workers  30 of them
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/arguments.hpp"
#include "tests/bench/flow.hpp"
#include "tests/bench/page.hpp"
#include "tests/bench/peers/forked.hpp"
#include "tests/bench/peers/nats_connection.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::string_view kSubject = "features";
constexpr std::size_t kProcesses = 3;
constexpr std::size_t kReady = 1000;  // slots of the page: one a process, after the subscribers' counts
constexpr std::size_t kAcks = 1003;   // not 0: each message is told by a byte in the pipe

/// Every third subscriber from `first` on.
void subscribe(Page& page, std::uint16_t port, std::size_t first, std::size_t members, int acks) {
    const int poll = epoll_create1(0);
    std::vector<std::unique_ptr<NatsConnection>> all;
    for (std::size_t i = first; i < members; i += kProcesses) {
        all.push_back(std::make_unique<NatsConnection>(port));
        all.back()->subscribe(kSubject);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = all.size() - 1;
        epoll_ctl(poll, EPOLL_CTL_ADD, all.back()->fd(), &event);
    }
    page.slot(kReady + first).count = 1;
    std::array<epoll_event, 64> events;
    for (;;) {
        const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < ready; ++i) {
            const auto which = events[static_cast<std::size_t>(i)].data.u64;
            const auto got = all[which]->receive();
            page.slot(first + which * kProcesses).count += got;
            if (page.slot(kAcks).count == 0) continue;
            const std::string bytes(got, 'k');
            if (write(acks, bytes.data(), bytes.size()) < 0) throw std::runtime_error("the publisher is gone");
        }
    }
}

class Stage {
public:
    Stage(std::uint16_t port, std::size_t members, std::size_t bytes) : members_(members), publisher_(port) {
        if (pipe2(acks_.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        for (std::size_t i = 0; i < kProcesses; ++i)
            receivers_.push_back(std::make_unique<Forked>([&, i] { subscribe(page_, port, i, members, acks_[1]); }));
        for (std::size_t i = 0; i < kProcesses; ++i)
            while (page_.slot(kReady + i).count == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        one_ = "PUB " + std::string(kSubject) + " " + std::to_string(bytes) + "\r\n" + std::string(bytes, 'x') + "\r\n";
        for (std::uint64_t i = 0; i < kBatch; ++i) batch_ += one_;
    }
    ~Stage() {
        receivers_.clear();
        for (const int fd : acks_) close(fd);
    }
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    double rate(std::size_t window, Clock::duration duration) {
        const auto send = [&](std::uint64_t) {
            publisher_.send(batch_);
            publisher_.receive();
        };
        return flow(page_, {members_, window, 1, duration}, send).deliveries_s;
    }

    std::vector<double> latencies(std::size_t calls) {
        page_.slot(kAcks).count = 1;
        std::vector<double> us;
        std::array<char, 1024> bytes;
        for (std::size_t i = 0; i < calls + calls / 10; ++i) {
            const auto begin = Clock::now();
            publisher_.send(one_);
            for (std::size_t acked = 0; acked < members_;) {
                const ssize_t got = read(acks_[0], bytes.data(), bytes.size());
                if (got <= 0) throw std::runtime_error("the subscribers are gone");
                acked += static_cast<std::size_t>(got);
            }
            const std::chrono::duration<double, std::micro> taken = Clock::now() - begin;
            if (i >= calls / 10) us.push_back(taken.count());
            publisher_.receive();
        }
        return us;
    }

private:
    const std::size_t members_;
    Page page_;
    std::array<int, 2> acks_{};
    std::vector<std::unique_ptr<Forked>> receivers_;
    NatsConnection publisher_;
    std::string one_, batch_;
};

void measure(const std::string& row, const Settings& settings, std::uint16_t port, std::size_t members) {
    // A publisher waits for nobody, as muster's embedded `notify` and a worker's `post` do not.
    const std::string one_way = row == "workers" ? "posted" : "sustained";
    for (const std::size_t bytes : {64, 1024}) {
        for (const std::string& how : {one_way, std::string("acknowledged")}) {
            Case one{{"peer", "nats"}, {"how", how}, {"bytes", std::to_string(bytes)}};
            if (row == "fanout") one.emplace_back("members", std::to_string(members));
            if (!settings.wants(one)) continue;
            tell(row, one);
            std::vector<double> rates, p50, p99;
            for (std::size_t rep = 0; rep < settings.reps; ++rep) {
                Stage stage(port, members, bytes);
                if (how == one_way) {
                    rates.push_back(stage.rate(settings.window, settings.duration));
                } else {
                    const auto us = stage.latencies(settings.calls);
                    p50.push_back(percentile(us, 50));
                    p99.push_back(percentile(us, 99));
                }
            }
            if (how == one_way)
                Line(row, one).measure("deliveries_s", rates).print();
            else
                Line(row, one).measure("p50_us", p50).measure("p99_us", p99).print();
        }
    }
}

int run(int argc, char** argv) {
    CLI::App app{"Measures a nats-server that runs on this machine."};
    Settings settings;
    std::string row;
    std::uint16_t port = 0;
    app.add_option("row", row)->required()->check(CLI::IsMember({"fanout", "workers"}));
    app.add_option("--port", port, "of the nats-server")->required();
    add_options(app, settings);
    CLI11_PARSE(app, argc, argv);
    if (row == "workers") return measure(row, settings, port, 30), 0;
    for (const std::size_t members : {3, 30, 300}) measure(row, settings, port, members);
    return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) {
    return muster::bench::main_of("bench_nats", muster::bench::run, argc, argv);
}
