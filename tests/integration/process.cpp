#include "tests/integration/process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace muster::test {
namespace {

struct Pipe {
    int read = -1;
    int write = -1;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    return {ends[0], ends[1]};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (auto& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

/// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* arguments, char* const* environment, int in, int out, int err) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // even if the test itself is killed
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(arguments[0], arguments, environment);
    ::_exit(127);
}

}  // namespace

milliseconds hurried(milliseconds usual) {
    const char* hurry = std::getenv("MUSTER_TEST_HURRY");
    return hurry == nullptr ? usual : usual / std::max(1, std::atoi(hurry));
}

Process::Process(std::vector<std::string> arguments, std::vector<std::string> environment) {
    const Pipe in = make_pipe();
    const Pipe out = make_pipe();
    const Pipe err = make_pipe();
    for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
    const auto argv = pointers(arguments);
    const auto envp = pointers(environment);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("no fork");
    if (pid_ == 0) become(argv.data(), envp.data(), in.read, out.write, err.write);
    for (const int fd : {in.read, out.write, err.write}) ::close(fd);
    input_ = in.write;
    out_.fd = out.read;
    err_.fd = err.read;
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    reader_ = std::thread([this] { read_streams(); });
}

Process::~Process() {
    if (!wait_exit(milliseconds(0))) {
        ::kill(pid_, SIGKILL);
        wait_exit();
    }
    ::eventfd_write(stop_, 1);
    reader_.join();
    close_input();
    for (const int fd : {out_.fd, err_.fd, stop_}) ::close(fd);
}

void Process::take(Stream& stream, const char* bytes, std::size_t size) {
    stream.tail.append(bytes, size);
    for (auto end = stream.tail.find('\n'); end != std::string::npos; end = stream.tail.find('\n')) {
        stream.lines.push_back(stream.tail.substr(0, end));
        stream.tail.erase(0, end + 1);
    }
}

void Process::read_streams() {
    std::array<char, 65536> buffer{};
    while (!out_.ended || !err_.ended) {
        std::array<pollfd, 3> fds{pollfd{stop_, POLLIN, 0}, pollfd{out_.ended ? -1 : out_.fd, POLLIN, 0},
                                  pollfd{err_.ended ? -1 : err_.fd, POLLIN, 0}};
        ::poll(fds.data(), fds.size(), -1);
        if (fds[0].revents != 0) return;
        for (const std::size_t i : {1u, 2u}) {
            if (fds[i].revents == 0) continue;
            Stream& stream = i == 1 ? out_ : err_;
            const auto size = ::read(stream.fd, buffer.data(), buffer.size());
            const std::lock_guard lock(mutex_);
            size > 0 ? take(stream, buffer.data(), static_cast<std::size_t>(size)) : void(stream.ended = true);
            changed_.notify_all();
        }
    }
}

bool Process::wait_until(milliseconds timeout, const std::function<bool()>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, holds);
}

std::optional<std::string> Process::wait_for_line(const Predicate& wanted, milliseconds timeout) {
    std::optional<std::string> found;
    wait_until(timeout, [&] {
        while (!found && taken_ < out_.lines.size())
            if (const auto& line = out_.lines[taken_++]; wanted(line)) found = line;
        return found || out_.ended;
    });
    return found;
}

std::optional<std::string> Process::wait_for_line(const std::string& text, milliseconds timeout) {
    return wait_for_line([&](const std::string& line) { return line.find(text) != std::string::npos; }, timeout);
}

bool Process::wait_for_error(const std::string& text, milliseconds timeout) {
    const auto has = [&](const std::string& line) { return line.find(text) != std::string::npos; };
    bool found = false;
    wait_until(timeout, [&] {
        found = std::any_of(err_.lines.begin(), err_.lines.end(), has);
        return found || err_.ended;
    });
    return found;
}

void Process::write(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto size = ::write(input_, text.data() + at, text.size() - at);
        if (size <= 0) return;
        at += static_cast<std::size_t>(size);
    }
}

void Process::close_input() {
    if (input_ >= 0) ::close(input_);
    input_ = -1;
}

void Process::signal(int number) const {
    const std::lock_guard lock(mutex_);
    if (!status_) ::kill(pid_, number);
}

std::optional<int> Process::wait_exit(milliseconds timeout) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    while (true) {
        {
            const std::lock_guard lock(mutex_);
            int status = 0;
            if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
                status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            if (status_ || std::chrono::steady_clock::now() >= until) break;
        }
        std::this_thread::sleep_for(milliseconds(2));
    }
    // What it wrote last may still be in the pipes. A grandchild may hold them open.
    if (status_) wait_until(milliseconds(1000), [this] { return out_.ended && err_.ended; });
    return status_;
}

std::vector<std::string> Process::lines() const {
    const std::lock_guard lock(mutex_);
    return out_.lines;
}

std::string Process::errors() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& line : err_.lines) text += line + '\n';
    return text + err_.tail;
}

Finished run(std::vector<std::string> arguments, milliseconds timeout, const std::string& input) {
    Process process(std::move(arguments));
    process.write(input);
    process.close_input();
    Finished finished;
    finished.status = process.wait_exit(timeout).value_or(-1);
    finished.lines = process.lines();
    finished.errors = process.errors();
    return finished;
}

std::uint16_t free_port() {
    // Below 10000, where no node that was told to take any free port takes it before it is used.
    constexpr unsigned first = 2000;
    constexpr unsigned count = 8000;
    // Processes that run side by side begin at different places.
    static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 131 % count};
    for (unsigned i = 0; i < count; ++i) {
        const auto port = static_cast<std::uint16_t>(first + next++ % count);
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool is_free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        if (is_free) return port;
    }
    throw std::runtime_error("no free port");
}

}  // namespace muster::test
