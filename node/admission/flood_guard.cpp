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

constexpr milliseconds kCheckEvery(10);
constexpr milliseconds kBlocked(60);          // longer than the time between two ticks of the core
constexpr std::chrono::seconds kAlert(10);    // after a connection was closed
constexpr int kRestFactor = 10;               // after looking at connections, rests so many times as long as that took
constexpr std::uint64_t kMaxReceived = 8192;  // bytes of one connection between two checks

/// Bytes received on this descriptor; empty if it is not a connection to that port of this process.
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
    Clock::duration rest = kCheckEvery;
    while (!stopped_) {
        std::this_thread::sleep_for(rest);
        const auto began = Clock::now();
        rest = kCheckEvery;
        if (began >= alert_until && loop_age_() < kBlocked) {
            before.reset();
            continue;
        }
        auto now = received();
        if (before && close_flooding(*before, now)) alert_until = began + kAlert;
        before = std::move(now);
        rest = std::max<Clock::duration>(kCheckEvery, kRestFactor * (Clock::now() - began));
    }
}

FloodGuard::Received FloodGuard::received() const {
    Received all;
    std::error_code error;  // there may be no descriptor to read the folder with
    std::filesystem::directory_iterator entry("/proc/self/fd", error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        const int descriptor = std::atoi(entry->path().filename().c_str());
        if (const auto bytes = received_at(descriptor, publisher_)) all[descriptor] = *bytes;
    }
    return all;
}

bool FloodGuard::close_flooding(const Received& before, const Received& now) {
    bool some = false;
    for (const auto& [descriptor, bytes] : now) {
        const auto found = before.find(descriptor);
        const auto earlier = found == before.end() || found->second > bytes ? 0 : found->second;
        if (bytes - earlier <= kMaxReceived) continue;
        ++counts_.flooding;
        ::shutdown(descriptor, SHUT_RDWR);
        some = true;
    }
    return some;
}

}  // namespace muster::node
