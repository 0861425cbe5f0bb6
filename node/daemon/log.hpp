// musterd's log: lines on standard error.
#pragma once

#include <functional>
#include <string>

namespace muster::daemon {

/// Severity 0 debug … 3 error; thread-safe.
using Log = std::function<void(int severity, const std::string& line)>;

/// `level`: debug, info, warn, error. `format`: text, or json (one object a line).
Log make_log(const std::string& level, const std::string& format);

}  // namespace muster::daemon
