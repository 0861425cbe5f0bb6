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

}  // namespace

Log make_log(const std::string& level, const std::string& format) {
    auto logger = std::make_shared<spdlog::logger>("musterd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    const auto lowest = std::find(kNames.begin(), kNames.end(), level);
    logger->set_level(lowest == kNames.end() ? spdlog::level::info
                                             : kLevels[static_cast<std::size_t>(lowest - kNames.begin())]);
    logger->flush_on(spdlog::level::debug);
    if (format != "json") {
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %v");
        return [logger](int severity, const std::string& line) {
            logger->log(kLevels[index_of(severity)], "{} {}", kNames[index_of(severity)], line);
        };
    }
    logger->set_pattern("%v");
    return [logger](int severity, const std::string& line) {
        const nlohmann::json object{
            {"time_ms", unix_milliseconds()}, {"level", kNames[index_of(severity)]}, {"message", line}};
        // Names and texts come from other machines; what is no UTF-8 must not end the log.
        logger->log(kLevels[index_of(severity)], "{}",
                    object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    };
}

}  // namespace muster::daemon
