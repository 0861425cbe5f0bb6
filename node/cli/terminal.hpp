// A terminal that is drawn on, and left as it was.
#pragma once

#include <termios.h>

#include <cstddef>
#include <string>
#include <vector>

#include "node/cli/frame.hpp"

namespace muster::cli {

/// Standard output on a second screen, without cursor, echo and wrapped lines, as long as the object lives.
class Terminal {
public:
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    static bool is_there();
    [[nodiscard]] std::size_t rows() const;
    void draw(const std::vector<Line>& lines) const;
    /// As it was, and again as it is needed: around a pause of the process.
    void leave();
    void enter();

private:
    bool has_input_ = false;
    bool has_colours_ = true;
    termios before_{};
};

}  // namespace muster::cli
