#include "tests/bench/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace muster::bench {
namespace {

constexpr int kPatienceMs = 300000;  // for the slowest command, on a loaded machine

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

double seconds_of(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) != 0) fail("clock_gettime");
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

[[noreturn]] void become(std::vector<std::string>& arguments, int input, int output, int answers, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(input, STDIN_FILENO);
    dup2(output, answers);
    std::vector<char*> raw;
    for (auto& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    execv(raw[0], raw.data());
    _exit(127);
}

}  // namespace

Child::Child(std::vector<std::string> arguments, int answers) {
    int to_child[2], from_child[2];
    if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) fail("pipe2");
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) fail("fork");
    if (pid_ == 0) become(arguments, to_child[0], from_child[1], answers, parent);
    close(to_child[0]);
    close(from_child[1]);
    input_ = to_child[1];
    output_ = from_child[0];
}

Child::Child(const Page& page) : Child({"/proc/self/exe", "child", std::to_string(page.fd())}) {}

Child::~Child() {
    kill();
    close(input_);
    close(output_);
    waitpid(pid_, nullptr, 0);
}

void Child::send(const std::string& command) {
    const std::string line = command + "\n";
    if (write(input_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        throw std::runtime_error("a child does not take \"" + command + "\"");
}

std::string Child::answer() {
    for (;;) {
        if (const auto end = tail_.find('\n'); end != std::string::npos) {
            std::string line = tail_.substr(0, end);
            tail_.erase(0, end + 1);
            if (line.starts_with("error ")) throw std::runtime_error("a child: " + line.substr(6));
            return line;
        }
        pollfd ready{output_, POLLIN, 0};
        if (poll(&ready, 1, kPatienceMs) == 0) throw std::runtime_error("a child does not answer");
        char bytes[4096];
        const ssize_t got = read(output_, bytes, sizeof bytes);
        if (got <= 0) throw std::runtime_error("a child has ended");
        tail_.append(bytes, static_cast<std::size_t>(got));
    }
}

void Child::kill() const {
    ::kill(pid_, SIGKILL);
}

double cpu_seconds(pid_t pid) {
    clockid_t clock{};
    if (const int error = clock_getcpuclockid(pid, &clock); error != 0)
        throw std::system_error(error, std::generic_category(), "clock_getcpuclockid");
    return seconds_of(clock);
}

double resident_bytes(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) * 1024;
    throw std::runtime_error("no VmRSS of process " + std::to_string(pid));
}

double own_cpu_seconds() {
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace muster::bench
