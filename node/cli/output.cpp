#include "node/cli/output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "node/cli/commands.hpp"
#include "proto/utf8.hpp"

namespace muster::cli {

namespace {

/// Characters of UTF-8 text: all bytes except continuation bytes.
std::size_t characters(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

}  // namespace

void output_lost(int error) {
    // A reader that is gone, as that of `| head -1`, has what it wanted.
    if (error != EPIPE) complain("cannot write to standard output: " + std::generic_category().message(error));
    // Also on a worker's thread, without a goodbye: its notification must not be acknowledged.
    std::quick_exit(kRefused);
}

void write_output(std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {  // another program that has the same terminal does not wait for it
            pollfd writable{STDOUT_FILENO, POLLOUT, 0};
            ::poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            output_lost(errno);
        }
    }
}

void print(const std::string& line) {
    write_output(printable(line) + '\n');
}

void print_json(const Json& object) {
    write_output(printable_json(object.dump(-1, ' ', false, Json::error_handler_t::replace)) + '\n');
}

void complain(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    std::fprintf(stderr, "muster: %s\n", printable(text).c_str());
}

std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
    }
    std::vector<std::string> lines;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - characters(row[i]) + 2, ' ');
        }
        lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
    }
    return lines;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
    for (const auto& line : table_lines(rows)) print(line);
}

Json json_of(const Group& group) {
    return {{"store", group.store}, {"feature", group.feature}, {"key", to_string(group_key(group))}};
}

Json json_of(const Member& member) {
    Json meta = Json::object();
    for (const auto& [key, value] : member.meta) meta[key] = value;
    return {{"id", to_string(member.id)}, {"node", member.id.node.name}, {"worker", member.worker}, {"meta", meta}};
}

Json json_of(const GroupMembers& group) {
    Json object = json_of(group.group);
    object["members"] = Json::array();
    for (const auto& member : group.members) object["members"].push_back(json_of(member));
    return object;
}

Json json_of(const std::vector<Missed>& missed) {
    Json list = Json::array();
    for (const auto& one : missed)
        list.push_back({{"node", one.node}, {"members", one.members}, {"reason", std::string(to_string(one.reason))}});
    return list;
}

Json json_of(const NodeInfo& node) {
    return {{"name", node.id.name},
            {"incarnation", node.id.incarnation.value},
            {"state", std::string(to_string(node.state))},
            {"address", node.address},
            {"workers", node.workers},
            {"draining", node.draining}};
}

std::string state_of(const NodeInfo& node) {
    return std::string(to_string(node.state)) + (node.draining ? ", draining" : "");
}

Json ids_of(const std::vector<MemberId>& members) {
    Json list = Json::array();
    for (const auto& id : members) list.push_back(to_string(id));
    return list;
}

Json ids_of(const std::vector<Member>& members) {
    Json list = Json::array();
    for (const auto& member : members) list.push_back(to_string(member.id));
    return list;
}

std::string name_of(const Group& group) {
    return group.store + '/' + group.feature;
}

std::string sender_of(const Notification& notification) {
    const auto& worker = notification.from_worker;
    return notification.from_node.name + (worker.empty() ? "" : '/' + worker);
}

std::string counted(std::uint64_t count, const std::string& noun) {
    return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

}  // namespace muster::cli
