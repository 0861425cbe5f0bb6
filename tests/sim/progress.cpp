#include "tests/sim/progress.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace muster::sim {
namespace {

constexpr double kRewritten = 0.2;  // seconds

/// "42 s" or "7 min": an estimate needs no more.
std::string text_of(std::chrono::duration<double> duration) {
    const auto seconds = static_cast<long>(duration.count() + 0.5);
    return seconds < 120 ? std::to_string(seconds) + " s" : std::to_string((seconds + 30) / 60) + " min";
}

}  // namespace

ProgressLine::ProgressLine(std::string name, std::ostream& out, bool rewrites, double between, Clock::time_point begin)
    : name_(std::move(name)),
      out_(out),
      rewrites_(rewrites),
      between_(rewrites ? kRewritten : between),
      begin_(begin),
      told_(begin) {}

void ProgressLine::show(Clock::time_point now, double part, const std::string& text) {
    if (now - told_ < between_) return;
    told_ = now;
    part = std::clamp(part, 0.0, 1.0);
    const std::chrono::duration<double> took = now - begin_;
    out_ << (rewrites_ ? "\r\x1b[K" : "") << name_ << ": " << static_cast<int>(100 * part) << " %, " << text << ", "
         << text_of(took);
    if (part > 0) out_ << ", some " << text_of(took * (1 - part) / part) << " left";
    rewrites_ ? out_ << std::flush : out_ << std::endl;
    is_shown_ = rewrites_;
}

void ProgressLine::clear() {
    if (std::exchange(is_shown_, false)) out_ << "\r\x1b[K" << std::flush;
}

}  // namespace muster::sim
