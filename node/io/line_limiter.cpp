#include "node/io/line_limiter.hpp"

#include "proto/utf8.hpp"

namespace muster::node {
namespace {

constexpr auto kWindow = std::chrono::seconds(10);

}  // namespace

std::optional<LogLine> LineLimiter::take(LogLine line, Instant now) {
    Window& window = windows_[line.event];
    if (now - window.start >= kWindow) {
        window.start = now;
        window.lines = 0;
    }
    if (++window.lines > kBurst) {
        ++window.held_back;
        return std::nullopt;
    }
    if (window.held_back != 0) add_held_back(line, window.held_back);
    window.held_back = 0;
    line.text = printable(line.text);
    for (auto& [name, value] : line.fields) value = printable(value);
    return line;
}

void add_held_back(LogLine& line, std::uint64_t count) {
    line.text += " (and " + std::to_string(count) + " more like it)";
    line.fields["held_back"] = std::to_string(count);
}

}  // namespace muster::node
