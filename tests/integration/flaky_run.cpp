#include "tests/integration/flaky_run.hpp"

#include <muster/worker.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/integration/ledger.hpp"
#include "tests/integration/mode.hpp"
#include "tests/integration/proxied_cluster.hpp"

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kNodes = 3;
constexpr std::size_t kMembers = 30;
constexpr std::size_t kGroups = 5;
constexpr std::size_t kNotifyingMembers = 6;
constexpr std::size_t kSenders = 12;
constexpr std::uint32_t kWaitEvery = 256;
constexpr milliseconds kCallTime{60'000};
constexpr milliseconds kSettling{60'000};  // without a single delivery: then what is missing is lost

Group group_of(std::size_t number) {
    return {"orders", "changes-" + std::to_string(number % kGroups)};
}

class Run {
public:
    explicit Run(const FlakyOptions& options)
        : options_(options),
          each_(static_cast<std::uint32_t>((options.notifications + kSenders - 1) / kSenders)),
          cluster_(kNodes, options.seed, {"--session-grace", std::to_string(options.grace.count())}),
          ledger_(kMembers, kSenders, each_ + kGroups) {
        for (std::size_t i = 0; i < kMembers; ++i) attach(i);
        for (std::size_t i = 0; i < kMembers; ++i) join(i);
        for (std::size_t i = kNotifyingMembers; i < kSenders; ++i) attach(i);
    }

    FlakyResult operator()() {
        const auto since = Clock::now();
        if (options_.faults.every.count() > 0) cluster_.proxy().begin_faults(options_.faults);
        std::vector<std::thread> threads;
        for (std::uint32_t sender = 0; sender < kSenders; ++sender)
            threads.emplace_back([this, sender] { send_all(sender); });
        threads.emplace_back([this] { black_out(); });
        std::thread reporter([this] { report_progress(); });
        for (auto& thread : threads) thread.join();
        cluster_.proxy().end_faults();
        wait_for_the_rest();
        result_.seconds = std::chrono::duration<double>(Clock::now() - since).count();
        close_books();
        done_ = true;
        reporter.join();
        return account();
    }

private:
    void attach(std::size_t number) {
        auto nodes = cluster_.nodes().addresses();
        std::rotate(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(number % kNodes), nodes.end());
        const std::string name = (workers_.size() < kMembers ? "member-" : "notifier-") + std::to_string(number);
        auto options = with_keys(Worker::Options{.nodes = std::move(nodes), .name = name});
        options.in_order = true;
        options.on_gap = [this, name](std::uint64_t missed) {
            ledger_.broken(name + " was told of a gap of " + std::to_string(missed));
        };
        options.on_attachment = [this, name](bool attached, const std::string& text) {
            if (!attached) ++lost_attachments_;
            if (attached && text.find("new session") != std::string::npos) ledger_.broken(name + " " + text);
        };
        auto worker = Worker::connect(std::move(options));
        if (!worker) throw std::runtime_error(name + ": " + worker.error().text);
        workers_.push_back(std::move(*worker));
    }

    void join(std::size_t member) {
        const auto handler = [this, member](const Notification& n) { ledger_.arrived(member, n.data); };
        JoinOptions visible;
        visible.visible = true;
        const auto joined = workers_[member]->join(group_of(member / kNodes), handler, visible);
        if (!joined || joined->unseen != 0) throw std::runtime_error("a member could not join");
    }

    [[nodiscard]] Worker& worker_of(std::uint32_t sender) {
        return *workers_[sender < kNotifyingMembers ? sender : kMembers + sender - kNotifyingMembers];
    }

    Result<NotifyReport> notify(Stamp stamp, bool wait) {
        auto report = worker_of(stamp.sender)
                          .notify_created(group_of(stamp.number), to_data(stamp), {.wait = wait, .timeout = kCallTime});
        if (report)
            ledger_.sent(stamp, report->matched);
        else
            ledger_.broken("sender " + std::to_string(stamp.sender) + ": " + report.error().text);
        return report;
    }

    void send_all(std::uint32_t sender) {
        send_numbers(sender);
        --senders_;
    }

    void send_numbers(std::uint32_t sender) {
        for (std::uint32_t number = 1; number <= each_; ++number) {
            const bool wait = number % kWaitEvery == 0;
            const auto report = notify({sender, number}, wait);
            if (!report) return;
            ++sent_;
            if (report->matched < kMembers / kGroups) ++partly_matched_;
            if (!wait) continue;
            ++waits_;
            for (const auto& missed : report->missed) {
                ++missed_reports_;
                if (missed.reason != MissReason::node_down)
                    ledger_.broken("a report says that " + missed.node +
                                   " missed one: " + std::string(to_string(missed.reason)));
            }
        }
    }

    /// Evenly spread over the run.
    void black_out() {
        const auto all = each_ * kSenders;
        for (std::uint64_t i = 1; i <= options_.blackouts; ++i) {
            const auto begin = all * i / (options_.blackouts + 1);
            while (sent_ < begin && senders_ > 0) std::this_thread::sleep_for(milliseconds(10));
            const auto before = partly_matched_.load();
            const auto until = Clock::now() + kPatience;
            cluster_.proxy().stall(kBetweenNodes);
            while (partly_matched_ == before && Clock::now() < until && senders_ > 0)
                std::this_thread::sleep_for(milliseconds(10));
            cluster_.proxy().go_on();
            if (partly_matched_ > before) ++result_.blackouts;
        }
    }

    void wait_for_the_rest() {
        auto last = ledger_.arrived();
        auto until = Clock::now() + kSettling;
        while (ledger_.arrived() < ledger_.matched() && Clock::now() < until) {
            std::this_thread::sleep_for(milliseconds(5));
            if (std::exchange(last, ledger_.arrived()) != last) until = Clock::now() + kSettling;
        }
    }

    /// With all connections whole again everybody is reached, and what was to arrive twice would do so before these.
    void close_books() {
        for (std::size_t node = 0; node < kNodes; ++node)
            if (!cluster_.nodes().wait_alive(node, kNodes)) ledger_.broken("not all nodes are alive in the end");
        for (std::uint32_t sender = 0; sender < kSenders; ++sender)
            for (std::uint32_t number = each_ + 1; number <= each_ + kGroups; ++number) {
                const auto report = notify({sender, number}, true);
                if (report && report->delivered != kMembers / kGroups)
                    ledger_.broken("in the end " + std::to_string(report->delivered) + " members of a group got one");
            }
    }

    void report_progress() {
        for (int turns = 0; !done_; ++turns) {
            std::this_thread::sleep_for(milliseconds(100));
            if (turns % 10 != 9 || !options_.on_progress) continue;
            const auto counts = cluster_.proxy().counts();
            std::ostringstream line;
            line << sent_ << " sent, " << ledger_.arrived() << " of " << ledger_.matched() << " arrived, "
                 << counts.resets << " resets, " << counts.stalls + counts.long_stalls << " stalls";
            options_.on_progress(line.str());
        }
    }

    FlakyResult account() {
        result_.notifications = sent_;
        result_.deliveries = ledger_.arrived();
        result_.partly_matched = partly_matched_;
        result_.waits = waits_;
        result_.missed_reports = missed_reports_;
        result_.lost_attachments = lost_attachments_;
        result_.proxy = cluster_.proxy().counts();
        result_.broken = ledger_.verdict();
        return result_;
    }

    const FlakyOptions options_;
    const std::uint32_t each_;  // notifications of a sender
    ProxiedCluster cluster_;
    Ledger ledger_;
    FlakyResult result_;
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> partly_matched_{0};
    std::atomic<std::uint64_t> waits_{0};
    std::atomic<std::uint64_t> missed_reports_{0};
    std::atomic<std::uint64_t> lost_attachments_{0};
    std::atomic<std::size_t> senders_{kSenders};  // not done yet
    std::atomic<bool> done_{false};
    std::vector<std::unique_ptr<Worker>> workers_;  // last: their handlers use the rest
};

}  // namespace

FlakyResult run_flaky(const FlakyOptions& options) {
    return Run(options)();
}

std::string to_text(const FlakyResult& result) {
    std::ostringstream text;
    text << result.notifications << " notifications, " << result.deliveries << " deliveries in " << result.seconds
         << " s; " << result.proxy.resets << " resets, " << result.proxy.stalls << " stalls and "
         << result.proxy.long_stalls << " long ones, " << result.proxy.delays << " delays of "
         << result.proxy.connections << " connections, " << result.proxy.bytes / 1'000'000 << " MB; "
         << result.blackouts << " blackouts between nodes; " << result.lost_attachments
         << " times a worker lost its node and resumed; " << result.partly_matched
         << " notifications met a node believed dead; of " << result.waits << " that waited " << result.missed_reports
         << " reports were of a node that went down meanwhile";
    return text.str();
}

}  // namespace muster::test
