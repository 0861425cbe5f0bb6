// One line of a node's log.
#pragma once

#include <map>
#include <string>

namespace muster {

/// An event worth telling.
struct LogLine {
    int severity = 1;                           // 0 debug … 3 error
    std::string event;                          // which kind, of few that OPERATING.md lists: node_down
    std::string text;                           // for people: one line without control characters
    std::map<std::string, std::string> fields;  // what it is about, for programs: node, worker, address, detail, …

    bool operator==(const LogLine&) const = default;
};

}  // namespace muster
