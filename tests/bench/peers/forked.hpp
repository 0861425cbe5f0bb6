// Receivers of a peer's benchmark, in processes of their own.
#pragma once

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <system_error>

#include "tests/bench/page.hpp"

namespace muster::bench {

/// Runs `body` in a fork of this process, which has one thread so far. Killed when the object ends.
class Forked {
public:
    explicit Forked(const std::function<void()>& body) : pid_(fork()) {
        if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
        if (pid_ > 0) return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        try {
            body();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "a receiver: %s\n", error.what());
        }
        _exit(0);
    }
    ~Forked() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Forked(const Forked&) = delete;
    Forked& operator=(const Forked&) = delete;

private:
    pid_t pid_;
};

}  // namespace muster::bench
