// musterd: one node of a cluster, as a process.
#include <muster/node.hpp>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/daemon/config.hpp"
#include "node/daemon/http_status.hpp"
#include "node/daemon/log.hpp"
#include "node/io/standard_streams.hpp"
#include "node/io/wakeup.hpp"
#include "proto/utf8.hpp"

namespace {

using muster::daemon::Config;
using muster::daemon::Loaded;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kBadUsage = 2;
constexpr std::size_t kJournal = 512;  // changes of each kind that the status page can show

int fail(const muster::Error& error) {
    std::cerr << "musterd: " << muster::printable(error.text) << std::endl;
    return error.code == muster::ErrorCode::bad_request ? kBadUsage : kFailed;
}

int show(const std::string& text) {
    if (std::cout << text << std::flush) return kDone;
    std::cerr << "musterd: cannot write to standard output" << std::endl;
    return kFailed;
}

/// One line with the first problem, and how to see the others.
muster::Error first_of(const std::vector<std::string>& problems) {
    const auto others = problems.size() - 1;
    const std::string more =
        others == 0 ? "" : " (and " + std::to_string(others) + " more: see musterd --check-config)";
    return {muster::ErrorCode::bad_request, problems.front() + more};
}

/// --check-config: the checks of a start, without binding, starting or writing anything.
int check(Loaded loaded) {
    if (loaded.problems.empty())
        if (const auto checked = muster::Node::check(loaded.config.node); !checked)
            loaded.problems.push_back(checked.error().text);
    for (const auto& problem : loaded.problems) std::cerr << "musterd: " << muster::printable(problem) << std::endl;
    if (!loaded.problems.empty()) return kBadUsage;
    return show("ok\n");
}

/// A descriptor that is readable when SIGTERM, SIGINT (end) or SIGHUP (reload keys) arrives.
int watch_signals() {
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, SIGTERM);
    ::sigaddset(&ends, SIGINT);
    ::sigaddset(&ends, SIGHUP);
    // Later threads inherit the blocked signals.
    ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return ::signalfd(-1, &ends, SFD_CLOEXEC);
}

/// Set by the node's thread if the node stops by itself, for example after a name conflict.
struct End {
    std::mutex mutex;
    std::optional<muster::Error> error;
    muster::node::Wakeup wakeup;
};

void reload_keys(muster::Node& node, const muster::daemon::Log& log) {
    // The same lines as when the node itself notices changed files (node/admission/authenticator.cpp).
    if (const auto changes = node.reload_keys())
        log({1, "keys_read", "keys were read again: " + *changes, {{"detail", *changes}}});
    else
        log({3, "keys_broken", "keys stay as they were: " + changes.error().text, {{"detail", changes.error().text}}});
}

/// Returns when a signal asks the process to end, or when the node stopped by itself; then with its error.
std::optional<muster::Error> wait_for(int signals, End& end, const std::function<void()>& hangup) {
    pollfd items[] = {{signals, POLLIN, 0}, {end.wakeup.fd(), POLLIN, 0}};
    for (;;) {
        if (::poll(items, 2, -1) <= 0) continue;
        signalfd_siginfo signal{};
        if (items[0].revents == 0 || ::read(signals, &signal, sizeof signal) != sizeof signal ||
            signal.ssi_signo != SIGHUP)
            break;
        hangup();
    }
    const std::lock_guard lock(end.mutex);
    return end.error;
}

int run(Config config) {
    const int signals = watch_signals();
    const auto log = muster::daemon::make_log(config.log_level, config.log_format);
    End end;
    config.node.on_log = log;
    config.node.on_stopped = [&end](const muster::Error& error) {
        const std::lock_guard lock(end.mutex);
        end.error = error;
        end.wakeup.notify();
    };
    if (!config.http.empty()) config.node.limits.journal = kJournal;
    auto started = muster::Node::start(config.node);
    if (!started) return fail(started.error());
    muster::Node& node = **started;
    log({1,
         "started",
         "node " + node.id().name + " of scope " + config.node.scope + " listens on " + node.address(),
         {{"node", node.id().name}, {"scope", config.node.scope}, {"address", node.address()}}});

    std::unique_ptr<muster::daemon::HttpStatus> http;
    if (!config.http.empty()) {
        auto serving = muster::daemon::HttpStatus::start(
            config.http, node, {config.node.scope, config.node.security.key_file, config.node.security.keys_dir});
        if (!serving) return fail(serving.error());
        http = std::move(*serving);
    }
    const auto error = wait_for(signals, end, [&] { reload_keys(node, log); });
    if (error) return fail(*error);
    log({1, "leaving", "leaving", {}});
    http.reset();
    node.close();
    return kDone;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        muster::node::open_standard_streams();
        auto loaded = muster::daemon::load_config(argc, argv, muster::daemon::environment_of_process());
        if (!loaded.shown.empty()) return show(loaded.shown);
        if (loaded.only_check) return check(std::move(loaded));
        if (!loaded.problems.empty()) return fail(first_of(loaded.problems));
        return run(std::move(loaded.config));
    } catch (const std::exception& error) {
        std::cerr << "musterd: " << error.what() << std::endl;
        return kFailed;
    }
}
