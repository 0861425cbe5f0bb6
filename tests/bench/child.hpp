// Another process of the benchmark: this program again, told over pipes what to do.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/bench/page.hpp"

namespace muster::bench {

/// Processor time that this process has used so far.
double own_cpu_seconds();
/// That another has, in seconds; resolution of nanoseconds.
double cpu_seconds(pid_t pid);
/// VmRSS in bytes.
double resident_bytes(pid_t pid);

/// Runs `arguments` (the program first); commands go to its standard input, and answers come from its standard output
/// or error. Killed when the object ends, or when this process does. What goes wrong is thrown as std::runtime_error.
class Child {
public:
    explicit Child(std::vector<std::string> arguments, int answers = 1);
    /// This program as `muster_bench child`: it obeys the commands of child_main.cpp.
    explicit Child(const Page& page);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    void send(const std::string& command);
    /// The answer to a command that was sent.
    std::string answer();
    std::string ask(const std::string& command) {
        send(command);
        return answer();
    }

    /// SIGKILL, without waiting for the end.
    void kill() const;
    [[nodiscard]] double cpu_seconds() const { return bench::cpu_seconds(pid_); }
    [[nodiscard]] double resident_bytes() const { return bench::resident_bytes(pid_); }

private:
    pid_t pid_ = -1;
    int input_ = -1;
    int output_ = -1;
    std::string tail_;
};

/// The other side: obeys commands from standard input until it ends. Returns the exit status.
int run_child(int page_fd);

}  // namespace muster::bench
