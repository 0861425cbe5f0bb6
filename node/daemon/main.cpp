// musterd: one node of a cluster, as a process.
#include <muster/node.hpp>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "node/daemon/config.hpp"
#include "node/daemon/http_server.hpp"
#include "node/daemon/http_status.hpp"
#include "node/daemon/log.hpp"
#include "node/io/shortage.hpp"
#include "node/io/signals_blocked.hpp"
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
    muster::daemon::print_error(muster::printable(error.text));
    return error.code == muster::ErrorCode::bad_request ? kBadUsage : kFailed;
}

int show(const std::string& text) {
    if (std::cout << text << std::flush) return kDone;
    muster::daemon::print_error("cannot write to standard output");
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
int check(const Loaded& loaded) {
    int status = loaded.problems.empty() ? kDone : kBadUsage;
    for (const auto& problem : loaded.problems) muster::daemon::print_error(muster::printable(problem));
    if (status == kDone)
        if (const auto checked = muster::Node::check(loaded.config.node); !checked) status = fail(checked.error());
    return status == kDone ? show("ok\n") : status;
}

/// Set by the node's thread if the node stops by itself, for example after a name conflict.
struct End {
    std::mutex mutex;
    std::optional<muster::Error> error;
    muster::node::Wakeup wakeup;
};

/// Returns when a signal asks the process to end, or when the node stopped by itself; then with its error.
std::optional<muster::Error> wait_for(int signals, End& end, muster::Node& node) {
    pollfd items[] = {{signals, POLLIN, 0}, {end.wakeup.fd(), POLLIN, 0}};
    for (;;) {
        if (::poll(items, 2, -1) <= 0) continue;
        signalfd_siginfo signal{};
        if (items[0].revents == 0 || ::read(signals, &signal, sizeof signal) != sizeof signal ||
            signal.ssi_signo != SIGHUP)
            break;
        // The node logs the result.
        static_cast<void>(node.reload_keys());
    }
    const std::lock_guard lock(end.mutex);
    return end.error;
}

int run(Config config) {
    muster::node::let_writes_fail();
    std::signal(SIGHUP, [](int) {});  // it only reloads the keys, so it does so under nohup, too
    const int signals = muster::node::take_signals({SIGTERM, SIGINT, SIGHUP});
    End end;
    config.node.on_log = muster::daemon::make_log(config.log_level, config.log_format);
    config.node.on_stopped = [&end](const muster::Error& error) {
        const std::lock_guard lock(end.mutex);
        end.error = error;
        end.wakeup.notify();
    };
    // Before the node joins: a restart for the sake of this port would let it come and go in the cluster.
    muster::daemon::HttpServer server;
    if (!config.http.empty()) {
        using Reach = muster::daemon::HttpServer::Reach;
        const auto reach = config.node.security.insecure ? Reach::all : Reach::loopback;
        if (const auto bound = server.bind(config.http, reach); !bound) return fail(bound.error());
        config.node.limits.journal = kJournal;
    }
    auto started = muster::Node::start(config.node);
    if (!started) return fail(started.error());
    muster::Node& node = **started;

    std::unique_ptr<muster::daemon::HttpStatus> http;
    if (!config.http.empty()) {
        auto serving = muster::daemon::HttpStatus::start(
            std::move(server), config.http, node,
            {config.node.scope, config.node.security.key_file, config.node.security.keys_dir});
        if (!serving) return fail(serving.error());
        http = std::move(*serving);
    }
    const auto error = wait_for(signals, end, node);
    if (error) return fail(*error);
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
        if (loaded.only_check) return check(loaded);
        if (!loaded.problems.empty()) return fail(first_of(loaded.problems));
        return run(std::move(loaded.config));
    } catch (const std::system_error& refused) {
        return fail(muster::node::shortage_error("cannot start", refused.code().value()));
    } catch (const std::exception& error) {
        muster::daemon::print_error(error.what());
        return kFailed;
    }
}
