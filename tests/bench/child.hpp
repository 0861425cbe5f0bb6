// Another process of the benchmark: this program again, told over pipes what to do.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/bench/page.hpp"

namespace muster::bench {

/// Runs `arguments` (the program first), with its standard input and output as pipes. Killed when the object ends,
/// or when this process does. What goes wrong is thrown as std::runtime_error.
class Child {
public:
    explicit Child(std::vector<std::string> arguments);
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
    /// Processor time used so far, in seconds; resolution of nanoseconds.
    [[nodiscard]] double cpu_seconds() const;
    /// VmRSS in bytes.
    [[nodiscard]] double resident_bytes() const;

private:
    pid_t pid_ = -1;
    int input_ = -1;
    int output_ = -1;
    std::string tail_;
};

/// Of this process.
double own_cpu_seconds();

/// The other side: obeys commands from standard input until it ends. Returns the exit status.
int run_child(int page_fd);

}  // namespace muster::bench
