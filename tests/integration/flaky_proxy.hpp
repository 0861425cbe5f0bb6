// A TCP proxy that resets, stalls and delays the connections that pass it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/proxied_connection.hpp"

namespace muster::test {

/// Random faults; each hits one connection, picked at random among all that are open.
struct FaultMix {
    milliseconds every{200};   // mean time between two, exponentially distributed
    unsigned resets = 60;      // these four: shares of all faults
    unsigned stalls = 25;      // of one or both directions, for 50 to 800 ms
    unsigned long_stalls = 2;  // of both, for 3 to 5 s: longer than failure detection
    unsigned delays = 13;      // of all bytes, by 1 to 30 ms, for 200 to 2000 ms
};

/// Forwards bytes exactly and in order until a fault; one thread for all routes.
/// Buffers are bounded: what one side does not take is not read from the other.
/// The public functions are thread-safe and are done when they return.
class FlakyProxy {
public:
    struct Route {
        std::string listen;  // "a.b.c.d:port"
        std::string target;
        std::string name{};  // for `stall`
    };
    struct Counts {
        std::uint64_t connections = 0;  // ever opened
        std::uint64_t open = 0;
        std::uint64_t resets = 0;
        std::uint64_t stalls = 0;
        std::uint64_t long_stalls = 0;
        std::uint64_t delays = 0;
        std::uint64_t bytes = 0;  // handed on, both directions
    };

    /// Throws when it cannot listen.
    FlakyProxy(std::vector<Route> routes, std::uint64_t seed);
    /// Resets what is open.
    ~FlakyProxy();
    FlakyProxy(const FlakyProxy&) = delete;
    FlakyProxy& operator=(const FlakyProxy&) = delete;

    void begin_faults(FaultMix mix);
    /// No new fault; stalls and delays end.
    void end_faults();

    /// Resets every open connection: both ends get an RST. Returns how many.
    std::size_t reset_all();
    /// Nothing is forwarded on connections of the routes whose name contains `part`,
    /// those opened while it lasts included, until `go_on`. Empty: of all routes.
    void stall(const std::string& part = {});
    /// All stalls and delays end.
    void go_on();

    [[nodiscard]] Counts counts() const;

private:
    struct Listener {
        int fd = -1;
        Route route;
        bool stalled = false;
    };
    struct Proxied {
        std::unique_ptr<ProxiedConnection> connection;
        std::size_t listener = 0;
    };

    void on_thread(std::function<void()> command);
    void run();
    [[nodiscard]] int timeout_ms() const;
    void handle(std::uint64_t event_id, std::uint32_t events);
    void accept_all(std::size_t listener);
    static void stall_for_good(ProxiedConnection& connection);
    void draw_faults();
    void break_one(ProxiedConnection& connection);
    void turn_connections();
    [[nodiscard]] milliseconds between(int least, int most);

    std::mt19937_64 random_;
    int epoll_ = -1;
    int wake_ = -1;
    std::vector<Listener> listeners_;
    std::map<std::uint64_t, Proxied> connections_;
    std::uint64_t last_id_ = 0;
    bool faulty_ = false;
    FaultMix mix_;
    ProxyClock::time_point next_fault_ = ProxyClock::time_point::max();
    ProxyClock::time_point now_ = ProxyClock::now();

    mutable std::mutex mutex_;
    Counts counts_;
    std::vector<std::function<void()>> commands_;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace muster::test
