// PROTOCOL.md is what strangers write workers from: its bytes, tables and keys must be true.
#include <muster/group.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "proto/limits.hpp"
#include "proto/xxh64.hpp"
#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

std::vector<std::string> lines_of_page() {
    std::istringstream page(read_source("proto/PROTOCOL.md"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(page, line);) lines.push_back(line);
    return lines;
}

/// The cells of a table row, without blanks and backquotes around them; none when the line is no row.
std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> found;
    if (line.empty() || line.front() != '|') return found;
    std::istringstream row(line.substr(1));
    for (std::string cell; std::getline(row, cell, '|');) {
        const auto first = cell.find_first_not_of(" `");
        const auto last = cell.find_last_not_of(" `");
        found.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
    }
    return found;
}

struct Section {
    std::uint64_t number = 0;
    std::vector<std::string> fields;
};

/// The sections headed "### <number> <Message>", with the names of their fields.
std::map<std::string, Section> message_sections() {
    std::map<std::string, Section> sections;
    Section* current = nullptr;
    for (const auto& line : lines_of_page()) {
        if (line.rfind("#", 0) == 0) current = nullptr;
        std::istringstream heading(line);
        std::string hashes, name;
        std::uint64_t number = 0;
        if (heading >> hashes >> number >> name && hashes == "###") {
            current = &sections[name];
            current->number = number;
        }
        const auto row = cells(line);
        if (current != nullptr && row.size() >= 3 && row[0] != "field" && row[0].find("---") == std::string::npos)
            current->fields.push_back(row[0]);
    }
    return sections;
}

TEST(ProtocolPage, HasEveryMessageWithItsNumberAndFields) {
    const auto sections = message_sections();
    EXPECT_EQ(sections.size(), ordinary_samples().size());
    for (const auto& sample : ordinary_samples()) {
        ASSERT_TRUE(sections.count(sample.name)) << "no section on " << sample.name;
        const auto& section = sections.at(sample.name);
        const auto tree = tree_of(encode(sample.message));
        EXPECT_EQ(section.number, tree[1].get<std::uint64_t>()) << sample.name;
        EXPECT_EQ(section.fields.size(), tree.size() - 7) << sample.name << ": fields on the page and on the wire";
    }
}

/// The fenced blocks whose first line is "```hex <name>".
std::map<std::string, std::string> hex_blocks() {
    std::map<std::string, std::string> blocks;
    std::string* current = nullptr;
    for (const auto& line : lines_of_page()) {
        if (line.rfind("```hex ", 0) == 0)
            current = &blocks[line.substr(7)];
        else if (line.rfind("```", 0) == 0)
            current = nullptr;
        else if (current != nullptr)
            *current += line.substr(0, line.find('#'));  // what follows explains
    }
    return blocks;
}

/// The conversation of the page's worked example.
std::map<std::string, Message> example() {
    const NodeId a{"a", Incarnation{1700000000000000}};
    const Group group{"orders", "subscriptions"};
    const Header worker{"default", "w1", 0, 0};
    const Header attached{"default", "w1", 7, 0};
    const auto from_node = [&](std::uint64_t seq) { return Header{"default", "a", a.incarnation.value, seq}; };
    const auto request = [&](std::uint64_t seq) { return Header{"default", "w1", 7, seq}; };
    return {
        {"hello", {worker, WorkerHello{}}},
        {"welcome",
         {from_node(0), WorkerWelcome{SessionToken{7},
                                      false,
                                      500,
                                      2000,
                                      1000,
                                      {a, NodeState::alive, "127.0.0.1:7100"},
                                      {"127.0.0.1:7200"},
                                      30000,
                                      true}}},
        {"join", {request(1), JoinRequest{group, 2, {{"zone", "eu"}}, false, 5000}}},
        {"joined", {from_node(1), JoinReply{{{MemberNumber{1}, 2}}, 0}}},
        {"notify", {request(2), NotifyRequest{NotificationKind::created, group, {"\x81\xa2id\x07"}, true, 1000}}},
        {"delivery",
         {from_node(1),
          Deliveries{
              {{Notice{NotificationKind::created, group, {"\x81\xa2id\x07"}, a, "w1", 1, 0, {}, 0, 1},
                std::make_shared<const std::vector<MemberNumber>>(std::vector{MemberNumber{1}, MemberNumber{2}})}}}}},
        {"heartbeat", {attached, WorkerHeartbeat{1}}},
        {"notified", {from_node(2), NotifyReply{{2, 1, true, 2, {}}}}},
        {"goodbye", {attached, WorkerGoodbye{}}},
    };
}

TEST(ProtocolPage, BytesOfTheExampleAreWhatTheCodecWritesAndReads) {
    const auto blocks = hex_blocks();
    const auto messages = example();
    EXPECT_EQ(blocks.size(), messages.size());
    for (const auto& [name, message] : messages) {
        ASSERT_TRUE(blocks.count(name)) << "no block \"```hex " << name << "\"";
        const std::string bytes = from_hex(blocks.at(name));
        EXPECT_EQ(to_hex(bytes), to_hex(encode(message))) << name;
        auto decoded = decode(bytes);
        ASSERT_TRUE(decoded) << name;
        EXPECT_TRUE(*decoded == message) << name;
    }
}

TEST(ProtocolPage, GroupKeysOfTheTable) {
    std::size_t rows = 0;
    bool inside = false;
    for (const auto& line : lines_of_page()) {
        const auto row = cells(line);
        inside = !row.empty() && (inside || (row.size() == 4 && row[0] == "store" && row[2] == "hashed bytes"));
        if (!inside || row[0] == "store" || row[0].find("---") == 0) continue;
        ASSERT_EQ(row.size(), 4u) << line;
        const auto key = group_key(row[0], row[1]);
        EXPECT_EQ(row[3], to_string(key)) << line;
        EXPECT_EQ(row[2], to_hex(static_cast<char>(row[0].size()) + row[0] + row[1])) << line;
        EXPECT_EQ(key.value, muster::proto::Xxh64::of(from_hex(row[2]))) << line;
        ++rows;
    }
    EXPECT_GE(rows, 6u);
}

TEST(ProtocolPage, LimitsOfTheTable) {
    const std::map<std::string, std::size_t> expected = {{"frame", limits::kFrame},
                                                         {"group part", limits::kGroupPart},
                                                         {"name", limits::kName},
                                                         {"scope", limits::kScope},
                                                         {"address", limits::kAddress},
                                                         {"text", limits::kText},
                                                         {"metadata pairs", limits::kMetaEntries},
                                                         {"metadata text", limits::kMetaBytes},
                                                         {"data", limits::kData},
                                                         {"data nesting", limits::kDataDepth},
                                                         {"list", limits::kItems},
                                                         {"nesting", limits::kDepth},
                                                         {"members a call", limits::kMembersPerCall},
                                                         {"messages a bundle", limits::kBundle},
                                                         {"lines", limits::kLines},
                                                         {"members a frame", limits::kMembersPerFrame}};
    std::map<std::string, std::size_t> found;
    bool inside = false;
    for (const auto& line : lines_of_page()) {
        const auto row = cells(line);
        inside = !row.empty() && (inside || row[0] == "limit");
        if (inside && row[0] != "limit" && row[0].find("---") != 0) found[row[0]] = std::stoul(row.at(1));
    }
    EXPECT_EQ(found, expected);
}

template <class Enum>
void expect_listed(const std::string& heading, Enum last) {
    std::map<std::uint64_t, std::string> found;
    bool inside = false;
    for (const auto& line : lines_of_page()) {
        const auto row = cells(line);
        inside = !row.empty() && (inside || (row[0] == heading && row.at(1) == "number"));
        if (inside && row[0] != heading && row[0].find("---") != 0) found[std::stoul(row.at(1))] = row[0];
    }
    EXPECT_EQ(found.size(), static_cast<std::size_t>(last)) << heading;
    for (const auto& [number, name] : found) EXPECT_EQ(name, to_string(static_cast<Enum>(number))) << heading;
}

TEST(ProtocolPage, EnumeratorsOfTheTables) {
    expect_listed("kind", NotificationKind::deleted);
    expect_listed("event", WatchEvent::Kind::leave);
    expect_listed("reason", Reason::moved);
    expect_listed("missed because", MissReason::timeout);
    expect_listed("state", NodeState::left);
    expect_listed("error", ErrorCode::closed);
}

}  // namespace
}  // namespace muster::proto::test
