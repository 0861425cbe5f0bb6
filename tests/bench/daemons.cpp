#include "tests/bench/daemons.hpp"

#include <unistd.h>

#include "tests/bench/keyed.hpp"

namespace muster::bench {
namespace {

constexpr std::string_view kListens = " listens on ";

/// The address that a daemon tells on standard error when it has started.
std::string await_address(Child& daemon) {
    for (;;) {
        const auto line = daemon.answer();
        if (const auto at = line.find(kListens); at != std::string::npos) {
            const auto begin = at + kListens.size();
            return line.substr(begin, line.find(' ', begin) - begin);
        }
    }
}

}  // namespace

Daemons::Daemons(std::size_t count) : scope_("bench-daemons-" + std::to_string(getpid())) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::string name = "d" + std::to_string(i + 1);
        std::vector<std::string> line{MUSTERD_PATH, "--name", name,           "--listen", "127.0.0.1:0",
                                      "--scope",    scope_,   "--ready-wait", "300"};
        for (const auto& flag : key_flags(name)) line.push_back(flag);
        for (const auto& address : addresses_) line.insert(line.end(), {"--seed", address});
        processes_.push_back(std::make_unique<Child>(line, STDERR_FILENO));
        addresses_.push_back(await_address(*processes_.back()));
    }
}

double Daemons::cpu_seconds() const {
    double sum = 0;
    for (const auto& process : processes_) sum += process->cpu_seconds();
    return sum;
}

}  // namespace muster::bench
