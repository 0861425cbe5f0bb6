#include "node/daemon/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace muster::daemon {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const char* name, const char* help, MetricType type, double value) {
    prometheus::ClientMetric metric;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    return {name, help, type, {std::move(metric)}};
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double unix_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Initialised before main(), so close to the start of the process.
const double kStarted = unix_time();

}  // namespace

void add_process_metrics(std::vector<MetricFamily>& families) {
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0)
        families.push_back(family("process_cpu_seconds_total", "CPU time, user and system", MetricType::Counter,
                                  seconds(used.ru_utime) + seconds(used.ru_stime)));
    std::size_t pages = 0;
    std::size_t resident = 0;
    if (std::ifstream("/proc/self/statm") >> pages >> resident)
        families.push_back(family("process_resident_memory_bytes", "Resident memory", MetricType::Gauge,
                                  static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE))));
    std::error_code error;
    const std::filesystem::directory_iterator open("/proc/self/fd", error);
    if (!error)
        families.push_back(family("process_open_fds", "Open file descriptors", MetricType::Gauge,
                                  static_cast<double>(std::distance(begin(open), end(open)))));
    families.push_back(family("process_start_time_seconds", "Start time of the process, in seconds since 1970",
                              MetricType::Gauge, kStarted));
}

}  // namespace muster::daemon
