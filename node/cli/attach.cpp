#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/io/address.hpp"

namespace muster::cli {

int fail(const Error& error) {
    complain(error.text);
    switch (error.code) {
        case ErrorCode::bad_request:
            return kUsage;
        case ErrorCode::unreachable:
            return kUnreachable;
        case ErrorCode::timeout:
            return kTimeout;
        default:
            return kRefused;
    }
}

Result<std::unique_ptr<Worker>> attach(const Settings& settings, Worker::Options options) {
    options.nodes = node::split_addresses(settings.nodes);
    options.in_order = settings.in_order;
    options.listed_only = settings.listed_only;
    options.scope = settings.scope;
    options.key_file = settings.key;
    options.keys_dir = settings.keys;
    return Worker::connect(std::move(options));
}

Result<std::unique_ptr<Worker>> attach(const Settings& settings, Worker::Options options, int signals) {
    const int done = ::eventfd(0, EFD_CLOEXEC);
    if (done < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    std::optional<Result<std::unique_ptr<Worker>>> attached;
    std::thread connecting([&] {
        attached = attach(settings, std::move(options));
        ::eventfd_write(done, 1);
    });
    std::array<pollfd, 2> fds{pollfd{signals, POLLIN, 0}, {done, POLLIN, 0}};
    while (::poll(fds.data(), fds.size(), -1) <= 0 || fds[1].revents == 0) {
        signalfd_siginfo signal{};
        if (::read(signals, &signal, sizeof signal) == sizeof signal)
            std::_Exit(128 + static_cast<int>(signal.ssi_signo));
    }
    connecting.join();
    ::close(done);
    return *std::move(attached);
}

}  // namespace muster::cli
