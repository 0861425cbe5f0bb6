// Real processes for tests: started, listened to, signalled, waited for, and
// never left behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace muster::test {

using std::chrono::milliseconds;

/// How long anything may take on a loaded machine before a test calls it hung.
inline constexpr milliseconds kPatience{15000};

/// What a test waits for something that it makes happen itself: as long as usual, or with MUSTER_TEST_HURRY=N in the
/// environment an Nth of that, for who expects the test to fail.
milliseconds hurried(milliseconds usual);

/// One child process, with standard output and standard error read line by line.
/// Killed, if it still runs, when the object ends. Thread-safe.
class Process {
public:
    /// `arguments[0]` is the program. `environment` ("NAME=value") is added to ours.
    explicit Process(std::vector<std::string> arguments, std::vector<std::string> environment = {});
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    using Predicate = std::function<bool(const std::string& line)>;
    /// The first line of standard output after those already taken by this
    /// function for which `wanted` holds; nothing when it did not come in time.
    std::optional<std::string> wait_for_line(const Predicate& wanted, milliseconds timeout = kPatience);
    /// The same for a line that contains `text`.
    std::optional<std::string> wait_for_line(const std::string& text, milliseconds timeout = kPatience);
    /// Whether standard error has a line that contains `text`, by then.
    bool wait_for_error(const std::string& text, milliseconds timeout = kPatience);

    void write(const std::string& text);
    void close_input();
    void signal(int number) const;
    /// The exit status, or 128 + the signal that ended it; nothing when it still runs.
    std::optional<int> wait_exit(milliseconds timeout = kPatience);

    /// All lines so far.
    [[nodiscard]] std::vector<std::string> lines() const;
    /// Everything on standard error so far.
    [[nodiscard]] std::string errors() const;

private:
    struct Stream {
        int fd = -1;
        std::vector<std::string> lines;
        std::string tail;
        bool ended = false;
    };
    void read_streams();
    static void take(Stream& stream, const char* bytes, std::size_t size);
    bool wait_until(milliseconds timeout, const std::function<bool()>& holds);

    pid_t pid_ = -1;
    int input_ = -1;
    int stop_ = -1;
    std::thread reader_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Stream out_;
    Stream err_;
    std::size_t taken_ = 0;
    std::optional<int> status_;
};

/// What a program that ends by itself did.
struct Finished {
    int status = -1;  // -1: it did not end in time
    std::vector<std::string> lines;
    std::string errors;
};
Finished run(std::vector<std::string> arguments, milliseconds timeout = kPatience, const std::string& input = {});

/// A TCP port of the loopback interface that nobody listens on: below 10000, where neither the system nor a node looks
/// for a free one. Not given twice by one process.
std::uint16_t free_port();

}  // namespace muster::test
