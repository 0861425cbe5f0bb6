// Output of the command line: JSON lines and text tables.
#pragma once

#include <muster/types.hpp>

#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

/// Keeps keys in insertion order, so the output is stable.
using Json = nlohmann::ordered_json;

/// Writes to standard output. If it cannot be written, the process ends immediately with status 1, so that nothing that
/// was not printed is acknowledged.
void write_output(std::string_view text);
/// Ends the process with status 1, and says why unless the reader is gone.
[[noreturn]] void output_lost(int error);

/// Prints one line on standard output. Replaces control characters, because names come from other hosts. Ends the
/// process as write_output does. Not thread-safe.
void print(const std::string& line);
/// The same, but escapes control characters, as JSON allows.
void print_json(const Json& object);
/// Prints one line on standard error: "muster: …".
void complain(std::string text);

/// Aligns the columns of the rows. The first row is the header.
std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& rows);
void print_table(const std::vector<std::vector<std::string>>& rows);

Json json_of(const Group& group);  // store, feature, key
Json json_of(const Member& member);
Json json_of(const GroupMembers& group);
Json json_of(const std::vector<Missed>& missed);
Json json_of(const NodeInfo& node);
Json ids_of(const std::vector<MemberId>& members);
Json ids_of(const std::vector<Member>& members);

/// "alive", or "alive, draining".
std::string state_of(const NodeInfo& node);
/// "store/feature"
std::string name_of(const Group& group);
/// "node", or "node/worker".
std::string sender_of(const Notification& notification);
/// "1 member", "2 members".
std::string counted(std::uint64_t count, const std::string& noun);

}  // namespace muster::cli
