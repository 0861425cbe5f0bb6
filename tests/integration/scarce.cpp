// Preloaded into a program: makes the system refuse it descriptors or threads.
//
// MUSTER_REFUSE_AT=N MUSTER_REFUSE=K in the environment: the calls number N to N+K-1 fail, of those that make a thread
// or a descriptor. Calls of libzmq that start a thread or an epoll set succeed always: libzmq aborts when they fail,
// and the program can only ask beforehand.
//
// MUSTER_THREADS=N: the process has at most N threads at the same time, those of libzmq included.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>

namespace {

long number_in(const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? 0 : std::atol(text);
}

bool is_of_libzmq(const void* caller) {
    Dl_info about{};
    return ::dladdr(caller, &about) != 0 && about.dli_fname != nullptr &&
           std::strstr(about.dli_fname, "libzmq") != nullptr;
}

/// Whether this call is to fail.
bool refuse() {
    static const long from = number_in("MUSTER_REFUSE_AT");
    static const long count = number_in("MUSTER_REFUSE");
    static std::atomic<long> calls = 0;
    const long call = ++calls;
    return call >= from && call < from + count;
}

bool has_enough_threads() {
    static const long most = number_in("MUSTER_THREADS");
    return most > 0 && std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}) >= most;
}

bool refuse_descriptor() {
    if (!refuse()) return false;
    errno = EMFILE;
    return true;
}

template <class Function>
Function* real(Function*, const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
    static const auto next = real(&pthread_create, "pthread_create");
    if (has_enough_threads() || (!is_of_libzmq(__builtin_return_address(0)) && refuse())) return EAGAIN;
    return next(thread, attributes, run, argument);
}

int epoll_create1(int flags) noexcept {
    static const auto next = real(&epoll_create1, "epoll_create1");
    if (!is_of_libzmq(__builtin_return_address(0)) && refuse_descriptor()) return -1;
    return next(flags);
}

int eventfd(unsigned count, int flags) noexcept {
    static const auto next = real(&eventfd, "eventfd");
    return refuse_descriptor() ? -1 : next(count, flags);
}

int timerfd_create(int clock, int flags) noexcept {
    static const auto next = real(&timerfd_create, "timerfd_create");
    return refuse_descriptor() ? -1 : next(clock, flags);
}

int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
    static const auto next = real(&signalfd, "signalfd");
    return refuse_descriptor() ? -1 : next(fd, mask, flags);
}

int socket(int domain, int type, int protocol) noexcept {
    static const auto next = real(&socket, "socket");
    return refuse_descriptor() ? -1 : next(domain, type, protocol);
}

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
    static const auto next = real(&accept4, "accept4");
    return refuse_descriptor() ? -1 : next(fd, address, size, flags);
}
}
