// The three standard streams of a program.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace muster::node {

/// Opens what the parent closed of the three. Otherwise sockets would get their numbers, and output and log lines would
/// go into connections. Writing to a standard output that was closed still fails. Call it first.
inline void open_standard_streams() {
    constexpr std::array<int, 3> kHow{O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        const int opened = ::open("/dev/null", kHow.at(static_cast<std::size_t>(fd)));  // the lowest free number: fd
        static_cast<void>(opened);
    }
}

}  // namespace muster::node
