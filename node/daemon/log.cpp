#include "node/daemon/log.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

namespace muster::daemon {
namespace {

constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
constexpr std::array kNames{"debug", "info", "warn", "error"};

std::size_t index_of(int severity) {
    return static_cast<std::size_t>(std::clamp(severity, 0, 3));
}

std::chrono::system_clock::time_point time_of(const LogLine& line) {
    return line.time == std::chrono::system_clock::time_point{} ? std::chrono::system_clock::now() : line.time;
}

std::int64_t unix_milliseconds(const LogLine& line) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time_of(line).time_since_epoch()).count();
}

/// `value` unchanged, or quoted if a parser could not find its end.
std::string quoted(const std::string& value) {
    const auto is_plain = [](unsigned char c) { return c > ' ' && c != '"' && c != '=' && c != '\\' && c != '\x7f'; };
    if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) return value;
    return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string text_of(const LogLine& line) {
    std::string text = std::string(kNames[index_of(line.severity)]) + ' ' + line.text + " event=" + line.event;
    for (const auto& [name, value] : line.fields) text += ' ' + name + '=' + quoted(value);
    return text;
}

std::string json_of(const LogLine& line) {
    nlohmann::ordered_json object{{"time_ms", unix_milliseconds(line)},
                                  {"level", kNames[index_of(line.severity)]},
                                  {"event", line.event},
                                  {"message", line.text}};
    for (const auto& [name, value] : line.fields) object[name] = value;
    // Names and texts come from other hosts. Invalid UTF-8 must not make dump() throw.
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

namespace {

/// Whether standard error is the journal's: systemd says which device and file the journal is.
bool is_journal() {
    const char* journal = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe): nobody sets variables
    struct stat about {};
    if (journal == nullptr || ::fstat(STDERR_FILENO, &about) != 0) return false;
    return std::to_string(about.st_dev) + ':' + std::to_string(about.st_ino) == journal;
}

/// What the journal takes for the priority: see sd-daemon(3).
std::string priority_of(int severity) {
    constexpr std::array kPriorities{"<7>", "<6>", "<4>", "<3>"};
    return kPriorities[index_of(severity)];
}

/// Standard error without stdio: exit() would wait for the lock of a `stderr` that another thread writes to, for as
/// long as nobody reads.
class StandardError final : public spdlog::sinks::base_sink<std::mutex> {
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t text;
        formatter_->format(message, text);
        for (std::size_t at = 0; at < text.size();) {
            const auto written = ::write(STDERR_FILENO, text.data() + at, text.size() - at);
            if (written > 0) {
                at += static_cast<std::size_t>(written);
            } else if (errno == EAGAIN) {  // another program made the pipe or terminal that we share non-blocking
                pollfd room{STDERR_FILENO, POLLOUT, 0};
                ::poll(&room, 1, -1);
            } else if (errno != EINTR) {
                return;  // the disk is full, or the reader is gone
            }
        }
    }
    void flush_() override {}
};

}  // namespace

Log make_log(const std::string& level, const std::string& format) {
    auto logger = std::make_shared<spdlog::logger>("musterd", std::make_shared<StandardError>());
    const auto lowest = std::find(kNames.begin(), kNames.end(), level);
    logger->set_level(lowest == kNames.end() ? spdlog::level::info
                                             : kLevels[static_cast<std::size_t>(lowest - kNames.begin())]);
    logger->flush_on(spdlog::level::debug);
    const bool is_json = format == "json";
    const bool to_journal = is_journal();  // which adds the time itself
    logger->set_pattern(is_json || to_journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    return [logger, is_json, to_journal](const LogLine& line) {
        const auto log_level = kLevels[index_of(line.severity)];
        if (!logger->should_log(log_level)) return;
        const std::string text =
            (to_journal ? priority_of(line.severity) : "") + (is_json ? json_of(line) : text_of(line));
        logger->log(time_of(line), spdlog::source_loc{}, log_level, spdlog::string_view_t(text));
    };
}

void print_error(const std::string& text) {
    constexpr int kPatience = 500;  // milliseconds
    const std::string line = (is_journal() ? priority_of(3) : "") + "musterd: " + text + "\n";
    pollfd room{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&room, 1, kPatience) == 1) [[maybe_unused]]
        const auto written = ::write(STDERR_FILENO, line.data(), std::min(line.size(), std::size_t{PIPE_BUF}));
}

}  // namespace muster::daemon
