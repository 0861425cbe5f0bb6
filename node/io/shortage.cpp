#include "node/io/shortage.hpp"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace muster::node {
namespace {

// Of a context with one I/O thread and its first socket. libzmq takes 6; the rest is for other threads.
constexpr std::size_t kOfContext = 12;
// The reaper, an I/O thread, and two that every program with a context starts besides.
constexpr std::size_t kThreadsOfContext = 4;
// Of its first sockets and their connections, beside the stacks of the threads: libzmq aborts where it gets none. It
// was seen to need 0.4 MiB.
constexpr std::size_t kMemoryOfContext = 1u << 20;

/// A thread that does nothing until it can take a lock.
class Probe {
public:
    void start(std::mutex& lock) {
        thread_ = std::thread([this, &lock] {
            number_ = ::gettid();
            const std::lock_guard wait(lock);
        });
    }
    /// Waits until the kernel does not count it any more, which is some time after join().
    void end() {
        if (!thread_.joinable()) return;
        thread_.join();
        while (::tgkill(::getpid(), number_, 0) == 0) std::this_thread::yield();
    }

private:
    std::thread thread_;
    pid_t number_ = 0;
};

bool can_map(std::size_t bytes) {
    void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return false;
    ::munmap(mapped, bytes);
    return true;
}

/// Further advice if the process may have only so much address space, which threads and memory take.
std::string or_address_space() {
    rlimit space{};
    const bool is_bound = ::getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
    return is_bound ? ", or raise the limit of the address space (ulimit -v, LimitAS)" : "";
}

}  // namespace

bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == EAGAIN;
}

std::string reason_and_advice(int error) {
    std::string text = std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is
    switch (error) {
        case EMFILE:
            return text + ": raise the limit of open files (ulimit -n, LimitNOFILE)";
        case ENFILE:
            return text + ": raise fs.file-max of this host";
        case EAGAIN:
            return "no more threads: raise their limit (ulimit -u, TasksMax)" + or_address_space();
        case ENOMEM:
        case ENOBUFS:
            return text + ": free memory" + or_address_space();
        default:
            return text;
    }
}

Error shortage_error(const std::string& what, int error) {
    return {ErrorCode::overloaded, what + ": " + reason_and_advice(error)};
}

int why_no_descriptors(std::size_t count) {
    std::vector<int> opened;
    int error = 0;
    while (error == 0 && opened.size() < count) {
        const int fd = ::eventfd(0, EFD_CLOEXEC);
        if (fd < 0)
            error = errno;
        else
            opened.push_back(fd);
    }
    for (const int fd : opened) ::close(fd);
    return error;
}

int why_no_threads(std::size_t count, std::size_t memory) {
    std::vector<Probe> started(count);
    std::mutex all;
    int error = 0;
    {
        const std::lock_guard until_all_run(all);
        try {
            for (auto& probe : started) probe.start(all);
            if (memory > 0 && !can_map(memory)) error = ENOMEM;
        } catch (const std::system_error& refused) {
            error = refused.code().value();
        } catch (const std::bad_alloc&) {
            error = ENOMEM;
        }
    }
    for (auto& probe : started) probe.end();
    return error;
}

int why_no_context() {
    const int error = why_no_descriptors(kOfContext);
    return error != 0 ? error : why_no_threads(kThreadsOfContext, kMemoryOfContext);
}

}  // namespace muster::node
