// The connections of the HTTP server, and how long each may stay.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace muster::daemon {

/// Disconnects clients whose request has not arrived completely in time. When there are too many clients, disconnects
/// one that costs nobody an answer that is being made: the oldest whose request has not arrived, otherwise the oldest
/// that takes its answer. So idle connections keep no new client out. Any thread.
class HttpClients {
public:
    using Clock = std::chrono::steady_clock;

    /// `most`: clients at the same time, without those that are being disconnected. `request_time`: until a request has
    /// arrived completely.
    HttpClients(std::size_t most, Clock::duration request_time);
    ~HttpClients();
    HttpClients(const HttpClients&) = delete;
    HttpClients& operator=(const HttpClients&) = delete;

    /// A new connection with this descriptor, which must stay open until `ended`.
    void began(int socket);
    /// Its request has arrived, and a handler makes the answer.
    void arrived(int socket);
    /// The answer is being sent. `is_stream`: without an end, and not to be ended for others.
    void answered(int socket, bool is_stream);
    void ended(int socket);

    [[nodiscard]] std::size_t size() const;
    /// Clients that were disconnected to make room.
    [[nodiscard]] std::uint64_t displaced() const;

private:
    enum class Doing : std::uint8_t { asking, waiting, taking, following, leaving };
    struct Client {
        std::uint64_t number = 0;  // in the order of the connections
        Doing doing = Doing::asking;
        Clock::time_point end;  // of the time for the request
    };
    // With the lock held:
    void set(int socket, Doing doing);
    /// Disconnects one client, but not the newest.
    void make_room();
    /// Its thread then closes the connection.
    void disconnect(std::pair<const int, Client>& client);

    void run();

    const std::size_t most_;
    const Clock::duration request_time_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool ending_ = false;
    bool is_idle_ = false;           // no client has a time to end
    std::map<int, Client> clients_;  // by socket
    std::size_t leaving_ = 0;        // of them
    std::uint64_t numbers_ = 0;
    std::uint64_t displaced_ = 0;
    std::thread thread_;
};

}  // namespace muster::daemon
