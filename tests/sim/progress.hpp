// How far a long run is, for whoever waits for it: on a terminal one line that
// is rewritten, elsewhere a line every so often.
#pragma once

#include <chrono>
#include <iosfwd>
#include <string>

namespace muster::sim {

class ProgressLine {
public:
    using Clock = std::chrono::steady_clock;

    /// `between`: seconds between lines where they are not rewritten.
    ProgressLine(std::string name, std::ostream& out, bool rewrites, double between,
                 Clock::time_point begin = Clock::now());

    /// `part`: from 0 to 1, how much of it is done.
    void show(Clock::time_point now, double part, const std::string& text);
    /// Before anything else is printed, and at the end.
    void clear();

private:
    const std::string name_;
    std::ostream& out_;
    const bool rewrites_;
    const std::chrono::duration<double> between_;
    const Clock::time_point begin_;
    Clock::time_point told_;
    bool is_shown_ = false;
};

}  // namespace muster::sim
