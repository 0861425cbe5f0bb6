// muster top
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>

#include "node/cli/commands.hpp"
#include "node/cli/frame.hpp"
#include "node/cli/output.hpp"
#include "node/cli/terminal.hpp"
#include "node/cli/waiter.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::cli {
namespace {

constexpr std::size_t kRowsOnce = 200;  // if output is not a terminal

/// Takes samples on a thread of its own, so that a node that does not answer blocks neither the keyboard nor the
/// screen.
class Sampler {
public:
    Sampler(Worker& worker, std::chrono::duration<double> interval)
        : worker_(worker), interval_(interval), ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        thread_ = std::thread([this] { run(); });
    }
    ~Sampler() {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        changed_.notify_one();
        worker_.close();  // ends a call that waits for its answer
        thread_.join();
        ::close(ready_);
    }
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    /// Readable when take() has a sample.
    [[nodiscard]] int fd() const { return ready_; }
    /// The newest sample. Nothing if there is none since the last call.
    std::optional<Result<Sample>> take() {
        eventfd_t count = 0;
        ::eventfd_read(ready_, &count);
        const std::lock_guard lock(mutex_);
        return std::exchange(newest_, std::nullopt);
    }

private:
    void run() {
        for (std::unique_lock lock(mutex_); !stop_;) {
            lock.unlock();
            auto sample = take_sample(worker_);
            lock.lock();
            newest_ = std::move(sample);
            ::eventfd_write(ready_, 1);
            changed_.wait_for(lock, interval_, [this] { return stop_; });
        }
    }

    Worker& worker_;
    const std::chrono::duration<double> interval_;
    const int ready_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Result<Sample>> newest_;
    bool stop_ = false;
    std::thread thread_;
};

/// The last two samples.
class Samples {
public:
    void take(Result<Sample> sample) {
        trouble_ = sample ? "" : sample.error().text;
        if (!sample) return;
        before_ = std::exchange(now_, *std::move(sample));
        ages_.take(*now_);
    }
    [[nodiscard]] bool has_rates() const { return before_.has_value(); }
    [[nodiscard]] View view() const {
        return {before_ ? &*before_ : nullptr, now_ ? &*now_ : nullptr, &ages_, trouble_};
    }

private:
    std::optional<Sample> before_;
    std::optional<Sample> now_;
    StateAges ages_;
    std::string trouble_;
};

/// After a change of the terminal's size (SIGWINCH), the next picture follows it. A signal that ends the command and
/// comes while it is stopped (`kill %1`) finds it in the background, where the terminal is not its own.
void handle_signal(int signals, int ending, Terminal& terminal) {
    signalfd_siginfo signal{};
    if (::read(signals, &signal, sizeof signal) != sizeof signal || signal.ssi_signo != SIGTSTP) return;
    terminal.leave();
    ::raise(SIGSTOP);
    pollfd end{ending, POLLIN, 0};
    if (::poll(&end, 1, 0) == 0) terminal.enter();
}

/// Returns whether to continue. After the end of standard input, only a signal ends the command.
bool handle_key(pollfd& keyboard) {
    char key = 0;
    if (::read(keyboard.fd, &key, 1) == 1) return key != 'q' && key != 'Q';
    keyboard.fd = -1;
    return true;
}

int live(Worker& worker, double interval, int ending, int signals) {
    Terminal terminal;
    Sampler sampler(worker, std::chrono::duration<double>(interval));
    Samples samples;
    std::array<pollfd, 4> fds{
        pollfd{signals, POLLIN, 0}, {ending, POLLIN, 0}, {sampler.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    for (bool running = true; running;) {
        terminal.draw(frame_of(samples.view(), terminal.rows()));
        if (::poll(fds.data(), fds.size(), -1) <= 0) continue;
        if (fds[0].revents != 0) handle_signal(signals, ending, terminal);
        if (auto sample = sampler.take()) samples.take(std::move(*sample));
        running = fds[1].revents == 0 && (fds[3].revents == 0 || handle_key(fds[3]));
    }
    return kDone;
}

/// Takes two samples, for the rates between them, and prints once.
int once(const Settings& settings, Worker& worker, double interval, int ending) {
    Samples samples;
    while (!samples.has_rates()) {
        auto sample = take_sample(worker);
        if (!sample) return fail(sample.error());
        samples.take(std::move(sample));
        pollfd signal{ending, POLLIN, 0};
        if (!samples.has_rates() && ::poll(&signal, 1, static_cast<int>(interval * 1000)) > 0) return kDone;
    }
    if (settings.json) return print_json(json_of(samples.view())), kDone;
    for (const auto& line : frame_of(samples.view(), kRowsOnce)) print(line.text);
    return kDone;
}

}  // namespace

int top(const Settings& settings, const TopArguments& arguments) {
    const Waiter waiter({SIGINT, SIGTERM, SIGHUP, SIGQUIT});
    const bool is_live = !arguments.once && !settings.json && Terminal::is_there();
    const int signals = is_live ? node::take_signals({SIGTSTP, SIGWINCH}) : -1;
    const auto worker = attach(settings, {}, waiter.signals());
    if (!worker) return fail(worker.error());
    if (!is_live) return once(settings, **worker, arguments.interval, waiter.signals());
    return live(**worker, arguments.interval, waiter.signals(), signals);
}

}  // namespace muster::cli
