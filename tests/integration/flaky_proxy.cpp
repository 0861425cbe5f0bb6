#include "tests/integration/flaky_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <future>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace muster::test {
namespace {

using Instant = ProxyClock::time_point;

constexpr std::uint64_t kWake = 0;               // connections are numbered from 1, hence events from 2
constexpr std::uint64_t kListener = 1ull << 63;  // plus its index
constexpr int kLongestWaitMs = 1000;

sockaddr_in socket_address(const std::string& address) {
    const auto colon = address.rfind(':');
    sockaddr_in found{};
    found.sin_family = AF_INET;
    if (colon == std::string::npos || ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &found.sin_addr) != 1)
        throw std::runtime_error("no numeric address: " + address);
    found.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    return found;
}

int open_listener(const std::string& address) {
    const auto where = socket_address(address);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 && ::listen(fd, 128) == 0) return fd;
    ::close(fd);
    throw std::runtime_error("cannot listen at " + address);
}

void send_at_once(int fd) {
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

/// A socket that is being connected; should that fail, its epoll events say so.
int begin_connect(const std::string& address) {
    const auto where = socket_address(address);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    send_at_once(fd);
    (void)::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where);
    return fd;
}

void watch_input(int epoll, int fd, std::uint64_t id) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = id;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

FlakyProxy::FlakyProxy(std::vector<Route> routes, std::uint64_t seed)
    : random_(seed), epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    watch_input(epoll_, wake_, kWake);
    for (auto& route : routes) {
        const int fd = open_listener(route.listen);
        watch_input(epoll_, fd, kListener + listeners_.size());
        listeners_.push_back({fd, std::move(route)});
    }
    thread_ = std::thread([this] { run(); });
}

FlakyProxy::~FlakyProxy() {
    on_thread([this] { stop_ = true; });
    thread_.join();
    connections_.clear();
    for (const auto& listener : listeners_) ::close(listener.fd);
    ::close(wake_);
    ::close(epoll_);
}

void FlakyProxy::on_thread(std::function<void()> command) {
    std::promise<void> done;
    {
        const std::lock_guard lock(mutex_);
        commands_.emplace_back([&] {
            command();
            done.set_value();
        });
    }
    ::eventfd_write(wake_, 1);
    done.get_future().wait();
}

void FlakyProxy::begin_faults(FaultMix mix) {
    on_thread([&] {
        mix_ = mix;
        faulty_ = true;
        next_fault_ = now_;
    });
}

void FlakyProxy::end_faults() {
    on_thread([this] {
        faulty_ = false;
        next_fault_ = Instant::max();
        for (auto& [id, proxied] : connections_) proxied.connection->calm();
    });
}

std::size_t FlakyProxy::reset_all() {
    std::size_t count = 0;
    on_thread([&] {
        count = connections_.size();
        for (auto& [id, proxied] : connections_) proxied.connection->reset();
        const std::lock_guard lock(mutex_);
        counts_.resets += count;
    });
    return count;
}

void FlakyProxy::stall(const std::string& part) {
    on_thread([&] {
        for (auto& listener : listeners_)
            if (listener.route.name.find(part) != std::string::npos) listener.stalled = true;
        for (auto& [id, proxied] : connections_)
            if (listeners_[proxied.listener].stalled) stall_for_good(*proxied.connection);
    });
}

void FlakyProxy::go_on() {
    on_thread([this] {
        for (auto& listener : listeners_) listener.stalled = false;
        for (auto& [id, proxied] : connections_) proxied.connection->calm();
    });
}

void FlakyProxy::stall_for_good(ProxiedConnection& connection) {
    for (const std::size_t side : {0u, 1u}) connection.stall(side, Instant::max());
}

FlakyProxy::Counts FlakyProxy::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

// ---- the thread --------------------------------------------------------------

void FlakyProxy::run() {
    std::array<epoll_event, 128> events{};
    while (!stop_) {
        const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms());
        now_ = ProxyClock::now();
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            handle(event.data.u64, event.events);
        }
        std::vector<std::function<void()>> commands;
        {
            const std::lock_guard lock(mutex_);
            commands.swap(commands_);
        }
        draw_faults();
        for (auto& command : commands) command();
        turn_connections();
    }
}

int FlakyProxy::timeout_ms() const {
    Instant next = next_fault_;
    for (const auto& [id, proxied] : connections_) next = std::min(next, proxied.connection->next_turn());
    if (next <= now_) return 0;
    if (next - now_ > milliseconds(kLongestWaitMs)) return kLongestWaitMs;
    return static_cast<int>(std::chrono::ceil<milliseconds>(next - now_).count());
}

void FlakyProxy::handle(std::uint64_t event_id, std::uint32_t events) {
    if (event_id == kWake) {
        eventfd_t ignored = 0;
        ::eventfd_read(wake_, &ignored);
    } else if (event_id >= kListener) {
        accept_all(event_id - kListener);
    } else if (const auto found = connections_.find(event_id / 2); found != connections_.end()) {
        found->second.connection->handle(now_, event_id % 2, events);
    }
}

void FlakyProxy::accept_all(std::size_t listener) {
    const Listener& from = listeners_[listener];
    while (true) {
        const int fd = ::accept4(from.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        send_at_once(fd);
        const auto id = ++last_id_;
        auto made = std::make_unique<ProxiedConnection>(epoll_, id, fd, begin_connect(from.route.target));
        if (from.stalled) stall_for_good(*made);
        connections_.emplace(id, Proxied{std::move(made), listener});
        const std::lock_guard lock(mutex_);
        ++counts_.connections;
    }
}

void FlakyProxy::turn_connections() {
    std::uint64_t bytes = 0;
    for (auto it = connections_.begin(); it != connections_.end();) {
        ProxiedConnection& connection = *it->second.connection;
        const auto before = connection.bytes();
        connection.turn(now_);
        bytes += connection.bytes() - before;
        it = connection.is_open() ? std::next(it) : connections_.erase(it);
    }
    const std::lock_guard lock(mutex_);
    counts_.bytes += bytes;
    counts_.open = connections_.size();
}

// ---- faults ------------------------------------------------------------------

milliseconds FlakyProxy::between(int least, int most) {
    return milliseconds(std::uniform_int_distribution<int>(least, most)(random_));
}

void FlakyProxy::draw_faults() {
    while (faulty_ && next_fault_ <= now_) {
        std::exponential_distribution<double> wait(1.0 / static_cast<double>(mix_.every.count()));
        next_fault_ = now_ + std::chrono::microseconds(static_cast<std::int64_t>(wait(random_) * 1000.0));
        if (connections_.empty()) continue;
        const auto index = std::uniform_int_distribution<std::size_t>(0, connections_.size() - 1)(random_);
        break_one(*std::next(connections_.begin(), static_cast<std::ptrdiff_t>(index))->second.connection);
    }
}

void FlakyProxy::break_one(ProxiedConnection& connection) {
    const std::array<unsigned, 4> shares{mix_.resets, mix_.stalls, mix_.long_stalls, mix_.delays};
    const auto kind = std::discrete_distribution<int>(shares.begin(), shares.end())(random_);
    if (kind == 0) {
        connection.reset();
    } else if (kind == 1) {
        const auto until = now_ + between(50, 800);
        const auto sides = between(1, 3).count();  // a set of the two
        for (const std::size_t side : {0u, 1u})
            if ((sides >> side & 1) != 0) connection.stall(side, until);
    } else if (kind == 2) {
        const auto until = now_ + between(3000, 5000);
        for (const std::size_t side : {0u, 1u}) connection.stall(side, until);
    } else {
        const auto by = between(1, 30);
        connection.delay(by, now_ + between(200, 2000));
    }
    const std::lock_guard lock(mutex_);
    const std::array<std::uint64_t*, 4> counted{&counts_.resets, &counts_.stalls, &counts_.long_stalls,
                                                &counts_.delays};
    ++*counted[static_cast<std::size_t>(kind)];
}

}  // namespace muster::test
