#include "node/cli/terminal.hpp"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "node/cli/output.hpp"
#include "proto/utf8.hpp"

namespace muster::cli {
namespace {

constexpr std::size_t kUsualRows = 24;
constexpr const char* kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";  // alternate screen, no cursor, no wrapping
constexpr const char* kLeave = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

std::optional<termios> usual_keyboard;  // as it was before

/// Not from the background, where the terminal belongs to the shell, and SIGTTOU would stop this process. A terminal
/// that is not the controlling one has no foreground.
void restore_keyboard() {
    const pid_t foreground = ::tcgetpgrp(STDIN_FILENO);
    if (usual_keyboard && (foreground < 0 || foreground == ::getpgrp()))
        ::tcsetattr(STDIN_FILENO, TCSANOW, &*usual_keyboard);
}

const char* code_of(Style style) {
    switch (style) {
        case Style::head:
            return "\x1b[1m";
        case Style::bad:
            return "\x1b[1;31m";
        case Style::doubtful:
            return "\x1b[33m";
        case Style::plain:
            break;
    }
    return "";
}

}  // namespace

bool Terminal::is_there() {
    const char* kind = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && kind != nullptr && std::string(kind) != "dumb";
}

Terminal::Terminal() {
    const char* no_colours = std::getenv("NO_COLOR");  // see no-color.org
    has_colours_ = no_colours == nullptr || *no_colours == '\0';
    termios found{};
    if (::tcgetattr(STDIN_FILENO, &found) == 0) {
        usual_keyboard = found;
        std::at_quick_exit(restore_keyboard);
    }
    enter();
}

Terminal::~Terminal() {
    leave();
}

void Terminal::enter() {
    is_entered_ = true;
    if (usual_keyboard) {
        termios quiet = *usual_keyboard;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    write_output(kEnter);
}

void Terminal::leave() {
    if (!std::exchange(is_entered_, false)) return;
    restore_keyboard();  // first: the terminal may be stopped (Ctrl-S), and take no output
    write_output(kLeave);
}

std::size_t Terminal::rows() const {
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kUsualRows;
}

void Terminal::draw(const std::vector<Line>& lines) const {
    if (!is_entered_) return;
    std::string text = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const char* code = has_colours_ ? code_of(lines[i].style) : "";
        text += (i == 0 ? "" : "\r\n") + std::string(code) + printable(lines[i].text) + "\x1b[0m\x1b[K";
    }
    write_output(text + "\x1b[J");
}

}  // namespace muster::cli
