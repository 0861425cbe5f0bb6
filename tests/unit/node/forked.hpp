// Runs code in a forked child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <thread>

namespace muster::test {

/// The exit status of a child. -1: it hangs, and is killed; -2: a signal ended it.
inline int status_of(pid_t child) {
    int status = 0;
    const auto now = [] { return std::chrono::steady_clock::now(); };
    for (const auto until = now() + std::chrono::seconds(30); now() < until;) {
        if (::waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return -1;
}

/// The same of a child that runs `what`, which returns the number of its failed check, or 0.
inline int status_of_child(const std::function<int()>& what) {
    const pid_t child = ::fork();
    if (child == 0) std::_Exit(what());
    return status_of(child);
}

}  // namespace muster::test
