// A cluster of musterd.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/bench/child.hpp"

namespace muster::bench {

/// All started at free ports of the loopback interface; each has the earlier ones as seeds.
class Daemons {
public:
    explicit Daemons(std::size_t count);

    [[nodiscard]] const std::string& scope() const { return scope_; }
    [[nodiscard]] const std::string& address(std::size_t i) const { return addresses_[i]; }
    [[nodiscard]] const Child& process(std::size_t i) const { return *processes_[i]; }
    [[nodiscard]] std::size_t size() const { return processes_.size(); }
    /// Processor time of all so far, in seconds.
    [[nodiscard]] double cpu_seconds() const;

private:
    std::string scope_;
    std::vector<std::string> addresses_;
    std::vector<std::unique_ptr<Child>> processes_;
};

}  // namespace muster::bench
