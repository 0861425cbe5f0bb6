// One line of the log of a node or a worker.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace muster {

/// An event that an operator may want to read. OPERATING.md lists all of them.
struct LogLine {
    int severity = 1;                              // 0 debug, 1 info, 2 warning, 3 error
    std::string event;                             // the kind of event, such as node_down
    std::string text;                              // for people: one line without control characters
    std::map<std::string, std::string> fields;     // for programs: node, worker, address, detail, ...
    std::chrono::system_clock::time_point time{};  // when it happened; it may be written later

    bool operator==(const LogLine&) const = default;
};

}  // namespace muster
