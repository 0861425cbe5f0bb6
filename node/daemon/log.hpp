// musterd's log: lines on standard error.
#pragma once

#include <muster/log_line.hpp>

#include <functional>
#include <string>

namespace muster::daemon {

/// Thread-safe.
using Log = std::function<void(const LogLine& line)>;

/// `level`: debug, info, warn, error. `format`: text (time, level, the sentence, then event=node_down node=b), or json
/// (one object a line).
Log make_log(const std::string& level, const std::string& format);

}  // namespace muster::daemon
