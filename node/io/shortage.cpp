#include "node/io/shortage.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

namespace muster::node {
namespace {

// Of a context with one I/O thread and its first socket. libzmq takes 6; the rest is for other threads.
constexpr std::size_t kOfContext = 12;

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
            return "no more threads: raise their limit (ulimit -u, TasksMax)";
        case ENOMEM:
        case ENOBUFS:
            return text + ": free memory";
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

int why_no_thread() {
    try {
        std::thread([] {}).join();
        return 0;
    } catch (const std::system_error& refused) {
        return refused.code().value();
    }
}

int why_no_context() {
    const int error = why_no_descriptors(kOfContext);
    return error != 0 ? error : why_no_thread();
}

}  // namespace muster::node
