#include "node/admission/flood_guard.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include "node/io/signals_blocked.hpp"

namespace muster::node {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGlance(10);
constexpr milliseconds kStands(60);             // more than the time between two ticks of the core
constexpr std::chrono::seconds kAlert(10);      // since somebody was found
constexpr int kRest = 10;                       // times as long as a look takes
constexpr std::uint64_t kMostMeanwhile = 8192;  // bytes of one connection between two glances

/// Bytes that came in, if this is a connection to that port of this process.
std::optional<std::uint64_t> received_at(int descriptor, std::uint16_t port) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &size) != 0) return std::nullopt;
    const auto own_port = own.ss_family == AF_INET    ? reinterpret_cast<const sockaddr_in&>(own).sin_port
                          : own.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(own).sin6_port
                                                      : in_port_t{0};
    if (own_port != htons(port)) return std::nullopt;
    tcp_info info{};
    size = sizeof info;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
    return info.tcpi_bytes_received;
}

}  // namespace

FloodGuard::FloodGuard(std::function<milliseconds()> loop_age, std::uint16_t publisher, ConnectionCounts& counts)
    : loop_age_(std::move(loop_age)), publisher_(publisher), counts_(counts) {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
}

FloodGuard::~FloodGuard() {
    stopped_ = true;
    thread_.join();
}

void FloodGuard::run() {
    using Clock = std::chrono::steady_clock;
    std::optional<Received> before;
    Clock::time_point alert_until{};
    Clock::duration rest = kGlance;
    while (!stopped_) {
        std::this_thread::sleep_for(rest);
        const auto began = Clock::now();
        rest = kGlance;
        if (began >= alert_until && loop_age_() < kStands) {
            before.reset();
            continue;
        }
        auto now = look();
        if (before && end_those_who_sent(*before, now)) alert_until = began + kAlert;
        before = std::move(now);
        rest = std::max<Clock::duration>(kGlance, kRest * (Clock::now() - began));
    }
}

FloodGuard::Received FloodGuard::look() const {
    Received received;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", none)) {
        const int descriptor = std::atoi(entry.path().filename().c_str());
        if (const auto bytes = received_at(descriptor, publisher_)) received[descriptor] = *bytes;
    }
    return received;
}

bool FloodGuard::end_those_who_sent(const Received& before, const Received& now) {
    bool some = false;
    for (const auto& [descriptor, bytes] : now) {
        const auto found = before.find(descriptor);
        const auto earlier = found == before.end() || found->second > bytes ? 0 : found->second;
        if (bytes - earlier <= kMostMeanwhile) continue;
        ++counts_.flooding;
        ::shutdown(descriptor, SHUT_RDWR);
        some = true;
    }
    return some;
}

}  // namespace muster::node
