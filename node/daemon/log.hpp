// The log of musterd: lines on standard error.
#pragma once

#include <muster/log_line.hpp>

#include <functional>
#include <string>

namespace muster::daemon {

/// Writes one line. Any thread.
using Log = std::function<void(const LogLine& line)>;

/// `level`: debug, info, warn or error; lower lines are dropped. `format`: text (time, level, message, event=node_down
/// node=b), or json (one object per line).
Log make_log(const std::string& level, const std::string& format);

}  // namespace muster::daemon
