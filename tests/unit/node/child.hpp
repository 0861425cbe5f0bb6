// A program that a handler starts.
#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <thread>

namespace muster::test {

/// Starts `sleep`, as popen() and system() start programs. Returns its process id, or -1.
inline pid_t start_program() {
    char name[] = "sleep";
    char seconds[] = "60";
    char* arguments[] = {name, seconds, nullptr};
    pid_t child = -1;
    return ::posix_spawnp(&child, name, nullptr, nullptr, arguments, environ) == 0 ? child : -1;
}

/// Whether SIGTERM ends the program.
inline bool ends_on_sigterm(pid_t child) {
    if (child <= 0) return false;
    ::kill(child, SIGTERM);
    int status = 0;
    for (int i = 0; i < 1000; ++i) {
        if (::waitpid(child, &status, WNOHANG) == child) return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return false;
}

}  // namespace muster::test
