// The three standard streams of a program, and files that may not grow.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace muster::node {

/// Opens what the parent closed of the three. Otherwise sockets would get their numbers, and output and log lines would
/// go into connections. Reading standard input and writing standard output still fail if they were closed. Call it
/// first.
inline void open_standard_streams() {
    constexpr std::array<int, 3> kHow{O_WRONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        const int opened = ::open("/dev/null", kHow.at(static_cast<std::size_t>(fd)));  // the lowest free number: fd
        static_cast<void>(opened);
    }
}

/// A reader that goes away (SIGPIPE), and a file beyond the limit of its size (SIGXFSZ, `ulimit -f`), are errors of the
/// write then, on every thread. They do not end the process.
inline void let_writes_fail() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace muster::node
