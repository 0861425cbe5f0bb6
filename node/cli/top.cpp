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

namespace muster::cli {
namespace {

constexpr std::size_t kRowsOnce = 200;  // where there is no terminal with an end

/// Asks on a thread of its own: a node that does not answer holds up neither the keyboard nor the picture.
class Sampler {
public:
    Sampler(Worker& worker, std::chrono::duration<double> interval)
        : worker_(worker), interval_(interval), told_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        thread_ = std::thread([this] { run(); });
    }
    ~Sampler() {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        changed_.notify_one();
        worker_.close();  // a call that waits for its answer waits no longer
        thread_.join();
        ::close(told_);
    }
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    /// Readable when there is something new.
    [[nodiscard]] int fd() const { return told_; }
    /// Nothing when nothing has come since the last call.
    std::optional<Result<Sample>> take() {
        eventfd_t count = 0;
        ::eventfd_read(told_, &count);
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
            ::eventfd_write(told_, 1);
            changed_.wait_for(lock, interval_, [this] { return stop_; });
        }
    }

    Worker& worker_;
    const std::chrono::duration<double> interval_;
    const int told_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Result<Sample>> newest_;
    bool stop_ = false;
    std::thread thread_;
};

/// What has come so far.
class Picture {
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

/// Readable upon these signals, which do nothing else from then on. To be made before any thread is.
int watch_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int one : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) ::sigaddset(&signals, one);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// Whether it goes on.
bool obey_signal(int signals, Terminal& terminal) {
    signalfd_siginfo signal{};
    if (::read(signals, &signal, sizeof signal) != sizeof signal) return true;
    if (signal.ssi_signo == SIGWINCH) return true;
    if (signal.ssi_signo != SIGTSTP) return false;
    terminal.leave();
    ::raise(SIGSTOP);
    terminal.enter();
    return true;
}

/// Whether it goes on. Without a keyboard, a signal ends it.
bool obey_key(pollfd& keyboard) {
    char key = 0;
    if (::read(keyboard.fd, &key, 1) == 1) return key != 'q' && key != 'Q';
    keyboard.fd = -1;
    return true;
}

int live(Worker& worker, double interval, int signals) {
    Terminal terminal;
    Sampler sampler(worker, std::chrono::duration<double>(interval));
    Picture picture;
    std::array<pollfd, 3> fds{pollfd{signals, POLLIN, 0}, {sampler.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    for (bool goes_on = true; goes_on;) {
        terminal.draw(frame_of(picture.view(), terminal.rows()));
        if (::poll(fds.data(), fds.size(), -1) <= 0) continue;
        if (fds[0].revents != 0) goes_on = obey_signal(signals, terminal);
        if (auto sample = sampler.take()) picture.take(std::move(*sample));
        if (goes_on && fds[2].revents != 0) goes_on = obey_key(fds[2]);
    }
    return kDone;
}

/// Two looks, for the rates between them.
int once(const Settings& settings, Worker& worker, double interval, int signals) {
    Picture picture;
    while (!picture.has_rates()) {
        auto sample = take_sample(worker);
        if (!sample) return fail(sample.error());
        picture.take(std::move(sample));
        pollfd signal{signals, POLLIN, 0};
        if (!picture.has_rates() && ::poll(&signal, 1, static_cast<int>(interval * 1000)) > 0) return kDone;
    }
    if (settings.json) return print_json(json_of(picture.view())), kDone;
    for (const auto& line : frame_of(picture.view(), kRowsOnce)) print(line.text);
    return kDone;
}

}  // namespace

int top(const Settings& settings, const TopArguments& arguments) {
    const int signals = watch_signals();
    const auto worker = attach(settings);
    if (!worker) return fail(worker.error());
    if (arguments.once || settings.json || !Terminal::is_there())
        return once(settings, **worker, arguments.interval, signals);
    return live(**worker, arguments.interval, signals);
}

}  // namespace muster::cli
