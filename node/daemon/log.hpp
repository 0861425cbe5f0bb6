// The log of musterd: lines on standard error.
#pragma once

#include <muster/log_line.hpp>

#include <functional>
#include <string>

namespace muster::daemon {

/// Writes one line. Any thread. Blocks while nobody reads standard error.
using Log = std::function<void(const LogLine& line)>;

/// `level`: debug, info, warn or error; lower lines are dropped. `format`: text (time, level, message, event=node_down
/// node=b), or json (one object per line). Times are UTC. If standard error is the journal's, text has no time, and
/// each line begins with its priority, such as <4>.
Log make_log(const std::string& level, const std::string& format);

/// Writes "musterd: `text`" to standard error. If nobody reads that for half a second, the text is lost: the process
/// must be able to end.
void print_error(const std::string& text);

}  // namespace muster::daemon
