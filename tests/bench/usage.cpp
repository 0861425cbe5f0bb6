#include "tests/bench/usage.hpp"

#include <array>
#include <cstdio>
#include <memory>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/bench/child.hpp"

namespace muster::bench {

std::map<pid_t, double> bytes_sent() {
    const std::unique_ptr<FILE, int (*)(FILE*)> ss(popen("ss -tinpHO", "r"), pclose);
    if (!ss) throw std::runtime_error("ss of iproute2 cannot be run");
    static const std::regex process(",pid=(\\d+),"), sent(" bytes_sent:(\\d+)");
    std::map<pid_t, double> bytes;
    std::array<char, 8192> buffer{};
    while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), ss.get()) != nullptr) {
        const std::string line = buffer.data();
        std::smatch whose, much;
        if (std::regex_search(line, whose, process) && std::regex_search(line, much, sent))
            bytes[std::stoi(whose[1])] += std::stod(much[1]);
    }
    return bytes;
}

Usage watch_usage(const std::vector<pid_t>& processes, std::chrono::seconds period) {
    std::vector<double> cpu;
    auto bytes = bytes_sent();
    for (const auto pid : processes) cpu.push_back(cpu_seconds(pid));
    std::this_thread::sleep_for(period);
    Usage usage;
    auto after = bytes_sent();
    const auto seconds = static_cast<double>(period.count());
    for (std::size_t i = 0; i < processes.size(); ++i) {
        const auto pid = processes[i];
        usage.cpu_percent.push_back((cpu_seconds(pid) - cpu[i]) / seconds * 100);
        usage.bytes_s.push_back((after[pid] - bytes[pid]) / seconds);
        usage.resident_mb.push_back(resident_bytes(pid) / 1e6);
    }
    return usage;
}

void print(std::string_view row, const Case& one, const Usage& usage) {
    Line line(row, one);
    line.measure("cpu_percent", usage.cpu_percent).measure("bytes_s", usage.bytes_s);
    line.measure("resident_mb", usage.resident_mb).print();
}

}  // namespace muster::bench
