// What the command line prints: lines of JSON, and tables for people.
#pragma once

#include <muster/types.hpp>

#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace muster::cli {

/// Keeps keys in the order in which they are written.
using Json = nlohmann::ordered_json;

/// One line on standard output, without control characters, flushed at once. Not thread-safe.
void print(const std::string& line);
void print_json(const Json& object);
/// One line on standard error: "muster: …".
void complain(std::string text);

/// Rows with columns of equal width; the first row is the head.
std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& rows);
void print_table(const std::vector<std::vector<std::string>>& rows);

Json json_of(const Group& group);  // store, feature, key
Json json_of(const Member& member);
Json json_of(const GroupMembers& group);
Json json_of(const std::vector<Missed>& missed);
Json json_of(const NodeInfo& node);
Json ids_of(const std::vector<MemberId>& members);
Json ids_of(const std::vector<Member>& members);

/// "store/feature" for people.
std::string name_of(const Group& group);
/// "node", or "node/worker".
std::string sender_of(const Notification& notification);
/// "1 member", "2 members".
std::string counted(std::uint64_t count, const std::string& noun);

}  // namespace muster::cli
