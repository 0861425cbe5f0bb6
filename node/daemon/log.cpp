#include "node/daemon/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>

namespace muster::daemon {
namespace {

constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
constexpr std::array kNames{"debug", "info", "warn", "error"};

std::size_t index_of(int severity) {
    return static_cast<std::size_t>(std::clamp(severity, 0, 3));
}

std::int64_t unix_milliseconds() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
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
    nlohmann::ordered_json object{{"time_ms", unix_milliseconds()},
                                  {"level", kNames[index_of(line.severity)]},
                                  {"event", line.event},
                                  {"message", line.text}};
    for (const auto& [name, value] : line.fields) object[name] = value;
    // Names and texts come from other hosts. Invalid UTF-8 must not make dump() throw.
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Log make_log(const std::string& level, const std::string& format) {
    auto logger = std::make_shared<spdlog::logger>("musterd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    const auto lowest = std::find(kNames.begin(), kNames.end(), level);
    logger->set_level(lowest == kNames.end() ? spdlog::level::info
                                             : kLevels[static_cast<std::size_t>(lowest - kNames.begin())]);
    logger->flush_on(spdlog::level::debug);
    const bool is_json = format == "json";
    logger->set_pattern(is_json ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %v");
    return [logger, is_json](const LogLine& line) {
        const auto log_level = kLevels[index_of(line.severity)];
        if (logger->should_log(log_level)) logger->log(log_level, "{}", is_json ? json_of(line) : text_of(line));
    };
}

}  // namespace muster::daemon
