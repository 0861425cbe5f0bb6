// A full-screen terminal that is restored afterwards.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "node/cli/frame.hpp"

namespace muster::cli {

/// While the object lives, standard output shows the alternate screen without cursor and line wrapping, and the
/// keyboard does not echo. The keyboard is restored too if the process ends with std::quick_exit.
class Terminal {
public:
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// Whether standard output is a terminal that understands escape sequences.
    static bool is_there();
    [[nodiscard]] std::size_t rows() const;
    /// Does nothing between leave() and enter().
    void draw(const std::vector<Line>& lines) const;
    /// leave() restores the terminal, enter() sets it up again: call them around a stop of the process (SIGTSTP).
    void leave();
    void enter();

private:
    bool has_colours_ = true;
    bool is_entered_ = false;
};

}  // namespace muster::cli
