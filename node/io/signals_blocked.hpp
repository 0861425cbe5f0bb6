// Which signals a thread blocks.
#pragma once

#include <pthread.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <vector>

namespace muster::node {

/// The signals that a thread blocks.
class SignalMask {
public:
    static SignalMask of_this_thread() {
        SignalMask mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask.set_);
        return mask;
    }
    bool operator==(const SignalMask& other) const {
        for (int signal = 1; signal < NSIG; ++signal)
            if (sigismember(&set_, signal) != sigismember(&other.set_, signal)) return false;
        return true;
    }

private:
    friend class ScopedSignalMask;
    sigset_t set_{};
};

/// Gives this thread another mask while this object lives: while it runs user code, the mask of the thread that started
/// the node or worker. Programs that user code starts inherit the mask. If all signals were blocked, as they are on our
/// threads otherwise, `kill` would do nothing to such a program.
class ScopedSignalMask {
public:
    explicit ScopedSignalMask(const SignalMask& mask) { pthread_sigmask(SIG_SETMASK, &mask.set_, &before_); }
    ~ScopedSignalMask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    ScopedSignalMask(const ScopedSignalMask&) = delete;
    ScopedSignalMask& operator=(const ScopedSignalMask&) = delete;

private:
    sigset_t before_{};
};

/// Threads that are started while this object lives block all signals, so that the program's own threads handle them.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

/// A descriptor that is readable when one of these signals arrives. They have no other effect from then on. A signal
/// that the program was started to ignore, as SIGHUP by `nohup`, stays ignored. Call it before any thread starts:
/// threads inherit the blocked signals. Throws std::system_error.
inline int take_signals(const std::vector<int>& signals) {
    sigset_t taken;
    sigemptyset(&taken);
    for (const int one : signals) {
        struct sigaction now {};
        if (::sigaction(one, nullptr, &now) != 0 || now.sa_handler != SIG_IGN) sigaddset(&taken, one);
    }
    pthread_sigmask(SIG_BLOCK, &taken, nullptr);
    const int arrived = ::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (arrived < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    return arrived;
}

}  // namespace muster::node
