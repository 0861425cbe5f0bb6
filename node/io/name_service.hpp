// Looks up host names on threads of its own, once for all loops of the process.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace muster::node {

/// Calls one function of a loop when a look-up has ended. The loop closes it before the function becomes invalid.
class NameListener {
public:
    explicit NameListener(std::function<void()> wake) : wake_(std::move(wake)) {}
    /// Calls the function, unless the listener is closed. Any thread. The function must not block.
    void wake();
    /// Waits for a wake() that is under way; afterwards the function is not called any more.
    void close();

private:
    std::mutex mutex_;
    std::function<void()> wake_;
};

/// getaddrinfo() takes half a minute and more while a name server is silent, and nothing can interrupt it. So it runs
/// on threads that nobody waits for: neither a loop, nor the end of a node, a worker or the process. Each name is
/// looked up once at a time, for all that ask. Its last good answer is kept while further look-ups fail.
///
/// All functions are thread-safe and do not block, except wait_for().
class NameService {
public:
    static constexpr std::size_t kMaxNames = 4096;
    static constexpr std::size_t kMaxThreads = 64;
    /// Names whose last look-up failed or was slow get some of the threads, so that they do not delay the others.
    static constexpr std::size_t kMaxSlow = kMaxThreads / 4;

    struct Answer {
        std::vector<std::string> hosts;  // numeric, in the order in which to try them; the last good answer
        bool failed = false;             // the last look-up found nothing
        bool pending = false;            // a look-up is under way
        std::uint64_t ended = 0;         // how many look-ups of this name have ended
        std::chrono::steady_clock::time_point ended_at{};  // the last one
    };

    /// Looks a name up and returns its numeric addresses; empty if there are none at the moment. May block.
    using LookUp = std::function<std::vector<std::string>(const std::string& host)>;
    explicit NameService(LookUp look_up) : look_up_(std::move(look_up)) {}

    /// The service of this process. After a fork, the child gets its own. It is never destroyed, because its threads
    /// may be inside getaddrinfo() when the process ends.
    static NameService& of_process();

    /// What is known of a name. Remembers the name from now on.
    Answer known(const std::string& host);
    /// The same, and begins a look-up unless one is under way. `listener` is woken when it has ended. False if too many
    /// names are being looked up.
    bool look_up(const std::string& host, const std::shared_ptr<NameListener>& listener);

private:
    struct Name {
        Answer answer;
        bool is_asked = false;  // waits or is being looked up
        bool is_slow = false;   // the last look-up failed or took long
        std::chrono::steady_clock::time_point used{};
        std::vector<std::weak_ptr<NameListener>> listeners;
    };
    using Names = std::map<std::string, Name>;

    Name* find_or_add(const std::string& host);
    bool start_thread();
    void run();
    [[nodiscard]] bool has_work() const;
    void look_up_next(std::unique_lock<std::mutex>& lock);

    const LookUp look_up_;
    std::mutex mutex_;
    std::condition_variable work_;
    Names names_;
    std::deque<std::string> asked_;  // in order; names that are not slow
    std::deque<std::string> slow_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
    std::size_t slow_running_ = 0;
};

/// The numeric addresses of a name or number, at most after `patience`; empty if there are none until then. Blocks, so
/// it must not be called on a loop.
std::vector<std::string> resolve_within(const std::string& host, std::chrono::milliseconds patience);

}  // namespace muster::node
