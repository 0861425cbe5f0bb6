// Counts, lengths, depths, texts and names beyond what PROTOCOL.md, "Limits", allows.
#include <gtest/gtest.h>

#include <functional>

#include "proto/limits.hpp"
#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

using nlohmann::json;

/// The verdict on a message of this name whose value at `at` was replaced.
std::string verdict_with(const std::string& name, const char* at, const json& value) {
    for (const auto& sample : ordinary_samples()) {
        if (sample.name != name) continue;
        auto tree = tree_of(encode(sample.message));
        tree.at(json::json_pointer(at)) = value;
        return verdict(frame_of(tree));
    }
    throw std::out_of_range(name);
}

struct TextField {
    const char* message;
    const char* at;
    std::size_t limit;
};
// One of every kind of text, and every place where it stands.
const TextField kTexts[] = {
    {"Ping", "/2", limits::kScope},
    {"Refuse", "/7", limits::kText},
    {"ErrorReply", "/7", limits::kText},
    {"Hello", "/6/3", limits::kAddress},
    {"Hello", "/6/4", limits::kAddress},
    {"Hello", "/6/5", limits::kAddress},
    {"WorkerWelcome", "/12/0", limits::kAddress},
    {"WorkerWelcome", "/11/2", limits::kAddress},
    {"JoinRequest", "/6/0", limits::kGroupPart},
    {"JoinRequest", "/6/1", limits::kGroupPart},
    {"WatchRequest", "/6/0", limits::kGroupPart},
    {"Deltas", "/8/0/0/0/0/1", limits::kGroupPart},
    {"JoinRequest", "/8/zone", limits::kMetaBytes},
};
const char* const kNodeNames[][2] = {
    {"Ping", "/3"},
    {"Hello", "/6/0/0"},
    {"Deltas", "/6/0"},
    {"Relay", "/6"},
    {"LinkData", "/6/0"},
    {"NotifyReply", "/6/4/0/0"},
    {"MembersReply", "/6/0/0/0/0"},
    {"Deliveries", "/6/0/3/0"},
};
const char* const kWorkerNames[][2] = {
    {"Deltas", "/8/0/0/0/2/0/2"}, {"LinkData", "/9/0/1/4"}, {"MembersReply", "/6/0/1"}, {"Deliveries", "/6/1/4"}};

TEST(Limits, TextsUpToTheirLimitAndNoLonger) {
    for (const auto& [message, at, limit] : kTexts) {
        SCOPED_TRACE(std::string(message) + at);
        EXPECT_EQ(verdict_with(message, at, std::string(limit, 'x')), "ok");
        EXPECT_EQ(verdict_with(message, at, std::string(limit + 1, 'x')), "bad_field");
    }
}

TEST(Limits, TextsMustBeUtf8) {
    const std::string bad[] = {"\x80", "a\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
    for (const auto& [message, at, limit] : kTexts)
        for (const auto& text : bad) EXPECT_EQ(verdict_with(message, at, text), "bad_field") << message << at;
}

TEST(Limits, NamesMustBeNames) {
    const std::string bad[] = {
        ".a", "-a", "_a", "a b", "a/b", "a@b", "\xc3\xa9", std::string("a\0b", 3), std::string(limits::kName + 1, 'n')};
    for (const auto& [message, at] : kNodeNames) {
        for (const auto& name : bad) EXPECT_EQ(verdict_with(message, at, name), "bad_field") << message << at << name;
        EXPECT_EQ(verdict_with(message, at, ""), "bad_field") << message << at;
        EXPECT_EQ(verdict_with(message, at, std::string(limits::kName, 'n')), "ok") << message << at;
    }
    for (const auto& [message, at] : kWorkerNames) {
        for (const auto& name : bad) EXPECT_EQ(verdict_with(message, at, name), "bad_field") << message << at << name;
        EXPECT_EQ(verdict_with(message, at, ""), "ok") << "a handler inside the node";
        EXPECT_EQ(verdict_with(message, at, "W.1_x-y"), "ok") << message << at;
    }
}

TEST(Limits, GroupsHaveTwoNames) {
    for (const char* message : {"JoinRequest", "LeaveRequest", "MembersRequest"}) {
        for (const json& group : {json{"", "f"}, json{"s", ""}, json{"", ""}, json{"s"}, json::array()})
            EXPECT_EQ(verdict_with(message, "/6", group), "bad_field") << message << group;
    }
    EXPECT_EQ(verdict_with("WatchRequest", "/6", {"", ""}), "ok") << "every group";
    EXPECT_EQ(verdict_with("WatchRequest", "/6", {"", "f"}), "bad_field");
    EXPECT_EQ(verdict_with("WatchRequest", "/6", {"s", ""}), "bad_field");
}

TEST(Limits, EnumeratorsOutsideTheirRangeMeanNothing) {
    struct {
        const char* message;
        const char* at;
        std::uint64_t last;
    } const fields[] = {{"NotifyRequest", "/6", 3},  {"Deliveries", "/6/0/0", 3},    {"Hello", "/6/2", 4},
                        {"Deltas", "/8/0/0/0/1", 4}, {"NotifyReply", "/6/4/0/2", 5}, {"Refuse", "/6", 12},
                        {"WatchNews", "/7/0", 3},    {"WatchNews", "/7/1", 4},       {"LinkData", "/9/0/1/0", 3}};
    for (const auto& [message, at, last] : fields) {
        SCOPED_TRACE(std::string(message) + at);
        EXPECT_EQ(verdict_with(message, at, 1), "ok");
        EXPECT_EQ(verdict_with(message, at, last), "ok");
        for (const std::uint64_t value : {std::uint64_t{0}, last + 1, std::uint64_t{257}, std::uint64_t{UINT64_MAX}})
            EXPECT_EQ(verdict_with(message, at, value), "bad_field") << value;
    }
    for (const int kind : {0, 3, 200}) EXPECT_EQ(verdict_with("LinkData", "/9/0/0", kind), "bad_field") << kind;
}

TEST(Limits, RunsOfMembersStayInsideTheNumbers) {
    const auto join = [](std::uint64_t first, std::uint64_t count) {
        return verdict_with("Deltas", "/8/0/0/0/2/0", {first, count, "w", json::object()});
    };
    const auto reply = [](std::uint64_t first, std::uint64_t count) {
        return verdict_with("JoinReply", "/6/0", {first, count});
    };
    for (const auto& run : {std::function(join), std::function<std::string(std::uint64_t, std::uint64_t)>(reply)}) {
        EXPECT_EQ(run(1, 1), "ok");
        EXPECT_EQ(run(1, 65536), "ok");
        EXPECT_EQ(run(UINT64_MAX - 65536, 65536), "ok");
        EXPECT_EQ(run(0, 1), "bad_field") << "no member has number 0";
        EXPECT_EQ(run(1, 0), "bad_field");
        EXPECT_EQ(run(1, 65537), "bad_field");
        EXPECT_EQ(run(UINT64_MAX, 1), "bad_field");
        EXPECT_EQ(run(UINT64_MAX - 65535, 65536), "bad_field");
        EXPECT_EQ(run(5, UINT64_MAX), "bad_field");
    }
}

TEST(Limits, Metadata) {
    json meta = json::object();
    for (int i = 0; i < 16; ++i) meta[std::to_string(i)] = "v";
    EXPECT_EQ(verdict_with("JoinRequest", "/8", meta), "ok");
    meta["one more"] = "v";
    EXPECT_EQ(verdict_with("JoinRequest", "/8", meta), "bad_field");
    EXPECT_EQ(verdict_with("JoinRequest", "/8", {{std::string(255, 'k'), "v"}}), "ok");
    EXPECT_EQ(verdict_with("JoinRequest", "/8", {{std::string(256, 'k'), "v"}}), "bad_field");
    EXPECT_EQ(verdict_with("JoinRequest", "/8", {{"\xff", "v"}}), "bad_field");
}

TEST(Limits, AKeyStandsInAMapOnce) {
    const std::string once = encode({{"s", "w", 1, 1}, JoinRequest{{"s", "f"}, 1, {{"k", "v"}}, false, 1}});
    const auto at = once.find("\x81\xa1k\xa1v");
    ASSERT_NE(at, std::string::npos);
    auto twice = once;
    twice.replace(at, 5, "\x82\xa1k\xa1v\xa1k\xa1w");
    EXPECT_EQ(verdict(twice), "bad_field");
    twice.replace(at, 9, "\x82\xa1k\xa1v\xa1j\xa1w");
    EXPECT_EQ(verdict(twice), "ok");
    auto by_number = once;
    by_number.replace(at, 5, std::string("\x81\x05\xa1v"));
    EXPECT_EQ(verdict(by_number), "bad_field") << "keys of metadata are texts";
}

TEST(Limits, ListsUpTo65536) {
    const json numbers = std::vector<int>(65536, 1);
    EXPECT_EQ(verdict_with("LeaveRequest", "/7", numbers), "ok");
    json more = numbers;
    more.push_back(1);
    EXPECT_NE(verdict_with("LeaveRequest", "/7", more), "ok");
    EXPECT_NE(verdict_with("Deltas", "/8", std::vector<json>(65537, json::array({json::array()}))), "ok");
}

TEST(Limits, DataIsOneSoundValue) {
    const auto data = [](const std::string& bytes) {
        return verdict_with("NotifyRequest", "/8", json::binary({bytes.begin(), bytes.end()}));
    };
    EXPECT_EQ(data("\xc0"), "ok");
    EXPECT_EQ(data(std::string(31, '\x91') + '\xc0'), "ok");
    EXPECT_EQ(data(std::string(31, '\x91') + '\x90'), "ok") << "32 deep";
    EXPECT_EQ(data(std::string(32, '\x91') + '\x90'), "bad_field") << "33 deep";
    EXPECT_EQ(data(""), "bad_field");
    EXPECT_EQ(data("\xc1"), "bad_field");
    EXPECT_EQ(data("\xc0\xc0"), "bad_field") << "two values";
    EXPECT_EQ(data("\x91"), "bad_field") << "cut short";
    EXPECT_EQ(data("\xdd\xff\xff\xff\xff"), "bad_field");
    EXPECT_EQ(data(std::string("\xc6\x00\x07\xff\xfb", 5) + std::string(512 * 1024 - 5, 'x')), "ok");
    EXPECT_EQ(data(std::string("\xc6\x00\x07\xff\xfc", 5) + std::string(512 * 1024 - 4, 'x')), "bad_field");
}

TEST(Limits, NestingOfAMessage) {
    const auto nested = [](std::size_t depth) {
        json value = json::array();
        for (std::size_t i = 1; i < depth; ++i) value = json::array({value});
        auto tree = tree_of(encode({{"s", "a", 1, 1}, Ping{1}}));
        tree.insert(tree.end() - 1, value);
        return verdict(frame_of(tree));
    };
    EXPECT_EQ(nested(limits::kDepth - 1), "ok");
    EXPECT_EQ(nested(limits::kDepth), "malformed");
    EXPECT_EQ(nested(1000), "malformed");
}

TEST(Limits, FramesUpToOneMebibyte) {
    const auto sized = [](std::size_t size) {
        const std::size_t rest = encode({{"s", "a", 1, 1}, Relay{"c", std::string(70000, 'x'), 0}}).size() - 70000;
        return encode({{"s", "a", 1, 1}, Relay{"c", std::string(size - rest, 'x'), 0}});
    };
    ASSERT_EQ(sized(limits::kFrame).size(), limits::kFrame);
    EXPECT_EQ(verdict(sized(limits::kFrame)), "ok");
    EXPECT_EQ(verdict(sized(limits::kFrame + 1)), "too_large");
    EXPECT_EQ(verdict(std::string(8 << 20, '\x91')), "too_large");
}

}  // namespace
}  // namespace muster::proto::test
