// The state file: whole whenever the process is killed, and used by one worker.
#include "node/client/state_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace muster::client {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kHeader = 256;
constexpr std::size_t kSlots = 64;  // offset of the first one
const Group kOrders{"orders", "subscriptions"};

proto::Message said(proto::Body body, std::uint64_t number = 0) {
    return {{"default", "w1", 42, number}, std::move(body)};
}

std::vector<proto::Message> beginning() {
    proto::WorkerWelcome welcome;
    welcome.token = SessionToken{42};
    welcome.node = {{"a", Incarnation{1700}}, NodeState::alive, "a:1"};
    welcome.nodes = {"localhost:1"};
    return {said(proto::WorkerHello{}), {{"default", "a", 1700, 0}, welcome}};
}

/// Two joins, one with a reply, and a leave of one of its members.
std::vector<proto::Message> conversation() {
    auto list = beginning();
    list.push_back(said(proto::JoinRequest{kOrders, 3, {{"k", "v"}}, true, 100}, 1));
    list.push_back(said(proto::JoinReply{{{MemberNumber{5}, 3}}, 2}, 1));
    list.push_back(said(proto::JoinRequest{kOrders, 1, {}, false, 100}, 2));
    list.push_back(said(proto::WatchRequest{}, 3));
    list.push_back(said(proto::LeaveRequest{kOrders, {MemberNumber{6}}, 1}, 4));
    list.push_back(said(proto::LeaveReply{{MemberNumber{6}}}, 4));
    return list;
}

struct Digest {
    std::vector<proto::Message> conversation;
    std::uint64_t received = 0;
    std::uint64_t requests = 0;
    bool operator==(const Digest&) const = default;
};
Digest digest(const SavedSession& saved) {
    if (!saved.token) return {};
    return {conversation_of(saved), saved.received, saved.requests};
}

struct StateFileTest : testing::Test {
    StateFileTest() { fs::create_directory(folder); }
    ~StateFileTest() override { fs::remove_all(folder); }

    static std::string read(const std::string& from) {
        std::ifstream in(from, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
    std::shared_ptr<StateFile> open() const {
        auto opened = StateFile::open(path);
        EXPECT_TRUE(opened) << opened.error().text;
        return opened ? *opened : nullptr;
    }
    Digest opened() const { return digest(open()->saved()); }
    /// Opening fails with one line that contains `text`, and the file is left as it is.
    void expect_refused(const std::string& text, ErrorCode code = ErrorCode::bad_request) const {
        const auto before = read(path);
        const auto result = StateFile::open(path);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, code);
        EXPECT_THAT(result.error().text, HasSubstr(text));
        EXPECT_THAT(result.error().text, HasSubstr(path));
        EXPECT_EQ(result.error().text.find('\n'), std::string::npos);
        EXPECT_EQ(read(path), before);
    }
    static void keep_all(StateFile& file, const std::vector<proto::Message>& messages) {
        for (const auto& message : messages) EXPECT_EQ(file.keep(message, 1), std::nullopt);
    }

    // In memory if possible, because these tests replace thousands of files.
    const fs::path folder = (fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
                            ("muster-state-" + std::to_string(::getpid()));
    const std::string path = folder / "worker.state";
};

TEST_F(StateFileTest, ANewFileIsEmptyAndHasMode0600) {
    write("");  // as mktemp makes a file
    fs::permissions(path, fs::perms::all);
    EXPECT_EQ(opened(), Digest{});
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    fs::remove(path);
    EXPECT_EQ(opened(), Digest{});
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(StateFileTest, RestoresTheConversation) {
    auto file = open();
    keep_all(*file, conversation());
    file->reserve(4096);
    file->handled(1, 7);
    file.reset();
    for (int again = 0; again < 2; ++again) {
        const auto next = open();
        const auto& saved = next->saved();
        EXPECT_EQ(saved.worker, "w1");
        EXPECT_EQ(saved.scope, "default");
        EXPECT_EQ(saved.token, SessionToken{42});
        EXPECT_EQ(saved.speaker, (NodeId{"a", Incarnation{1700}}));
        EXPECT_EQ(saved.node.address, "a:1");
        EXPECT_EQ(saved.home, "localhost:1");
        EXPECT_EQ(saved.received, 7u);
        EXPECT_EQ(saved.requests, 4096u);
        ASSERT_EQ(saved.joins.size(), 1u);
        EXPECT_EQ(saved.joins.at({1, 0}).members, (std::set{MemberNumber{5}, MemberNumber{7}}));
        EXPECT_EQ(saved.joins.at({1, 0}).unseen, 2u);
        EXPECT_EQ(saved.joins.at({1, 0}).request.meta, (Meta{{"k", "v"}}));
        EXPECT_EQ(saved.unfinished.size(), 1u);
        EXPECT_EQ(saved.watches, std::set<std::uint64_t>{3});
    }
}

TEST_F(StateFileTest, ANewSessionReplacesTheOldOneAndItsProgress) {
    auto file = open();
    keep_all(*file, conversation());
    file->handled(1, 7);
    auto again = beginning();
    std::get<proto::WorkerWelcome>(again.at(1).body).token = SessionToken{43};
    for (const auto& message : again) EXPECT_EQ(file->keep(message, 2), std::nullopt);
    file->handled(1, 8);
    file->handled(2, 1);
    file.reset();
    const auto next = open();
    EXPECT_EQ(next->saved().token, SessionToken{43});
    EXPECT_EQ(next->saved().received, 1u);
    EXPECT_THAT(next->saved().joins, IsEmpty());
}

TEST_F(StateFileTest, AGoodbyeEndsTheSession) {
    auto file = open();
    keep_all(*file, conversation());
    keep_all(*file, {said(proto::WorkerGoodbye{})});
    file.reset();
    EXPECT_EQ(opened(), Digest{});
}

TEST_F(StateFileTest, CutShortAtAnyByteItHasTheWholeRecordsOrIsDamaged) {
    std::vector<std::pair<std::size_t, Digest>> states;  // by the file's size from which on they are valid
    SavedSession expected;
    auto file = open();
    for (const auto& message : conversation()) {
        states.emplace_back(fs::file_size(path), digest(expected));
        EXPECT_EQ(file->keep(message, 1), std::nullopt);
        EXPECT_TRUE(apply(expected, message));
    }
    states.emplace_back(fs::file_size(path), digest(expected));
    file.reset();
    const auto whole = read(path);
    ASSERT_EQ(whole.size(), states.back().first);
    for (std::size_t size = 1; size <= whole.size(); ++size) {
        write(whole.substr(0, size));
        if (size < kHeader) {
            expect_refused("move it away");
            continue;
        }
        Digest wanted;
        for (const auto& [from, state] : states)
            if (from <= size) wanted = state;
        EXPECT_EQ(opened(), wanted) << size;
    }
}

TEST_F(StateFileTest, AWrongByteAnywhereIsDetectedOrHarmless) {
    auto file = open();
    keep_all(*file, conversation());
    file->reserve(4096);
    file->handled(1, 6);
    file->handled(1, 7);
    const auto right = [] {
        SavedSession saved;
        for (const auto& message : conversation()) apply(saved, message);
        return conversation_of(saved);
    }();
    file.reset();
    const auto whole = read(path);
    std::size_t refused = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const unsigned change : {0x01u, 0x80u, 0xffu}) {
            auto wrong = whole;
            wrong[at] = static_cast<char>(static_cast<unsigned char>(wrong[at]) ^ change);
            write(wrong);
            const auto result = StateFile::open(path);
            if (!result) {
                EXPECT_EQ(read(path), wrong);
                ++refused;
                continue;
            }
            EXPECT_LT(at, kHeader);
            EXPECT_EQ(conversation_of((*result)->saved()), right) << at;
            EXPECT_EQ((*result)->saved().requests, 4096u) << at;
            EXPECT_THAT((*result)->saved().received, testing::AllOf(testing::Ge(6u), testing::Le(7u))) << at;
        }
    }
    EXPECT_GE(refused, 3 * (whole.size() - kHeader));
}

TEST_F(StateFileTest, AKillDuringAStoreLeavesTheProgressBeforeOrAfter) {
    auto file = open();
    keep_all(*file, conversation());
    for (std::uint64_t seq = 1; seq <= 4; ++seq) {
        const auto before = read(path);
        file->handled(1, seq);
        const auto after = read(path);
        ASSERT_NE(before, after);
        const auto copy = path + ".copy";
        for (std::size_t cut = kSlots; cut <= kHeader; ++cut) {
            std::ofstream(copy, std::ios::binary) << after.substr(0, cut) << before.substr(cut);
            const auto torn = StateFile::open(copy);
            ASSERT_TRUE(torn) << torn.error().text;
            EXPECT_GE((*torn)->saved().received, seq - 1);
            EXPECT_LE((*torn)->saved().received, seq);
            EXPECT_EQ((*torn)->saved().token, SessionToken{42});
        }
    }
}

TEST_F(StateFileTest, AFileOfALiveWorkerIsRefused) {
    auto file = open();
    keep_all(*file, conversation());
    expect_refused("in use by another live process", ErrorCode::refused);
    // Also while it is rewritten again and again.
    for (std::uint64_t number = 10; number < 5000; ++number) {
        file->keep(said(proto::JoinRequest{kOrders, 1, {}, false, 100}, number), 1);
        file->keep(said(proto::ErrorReply{ErrorCode::overloaded, "no"}, number), 1);
    }
    expect_refused("in use by another live process", ErrorCode::refused);
    file.reset();
    EXPECT_NE(opened(), Digest{});
}

TEST_F(StateFileTest, AFileThatIsNotAStateFileIsLeftAlone) {
    write("my thesis\n");
    expect_refused("was not written by a muster worker: move it away");
    write("muster worker state 9\n" + std::string(500, 'x'));
    expect_refused("another version");
    fs::remove(path);
    fs::create_directory(path);
    EXPECT_THAT(StateFile::open(path).error().text, HasSubstr(path));
    EXPECT_THAT(StateFile::open("/dev/null").error().text, HasSubstr("not a regular file"));
    EXPECT_THAT(StateFile::open(folder / "nowhere" / "x").error().text, HasSubstr("cannot open"));
}

TEST_F(StateFileTest, DoesNotGrowWithOutdatedRecords) {
    auto file = open();
    keep_all(*file, beginning());
    for (std::uint64_t number = 1; number < 20'000; number += 2) {
        EXPECT_EQ(file->keep(said(proto::JoinRequest{kOrders, 1, {}, false, 100}, number), 1), std::nullopt);
        EXPECT_EQ(file->keep(said(proto::JoinReply{{{MemberNumber{number}, 1}}, 0}, number), 1), std::nullopt);
        const proto::LeaveRequest leave{kOrders, {MemberNumber{number}}, 1};
        EXPECT_EQ(file->keep(said(leave, number + 1), 1), std::nullopt);
        if (number > 10'000) continue;
        EXPECT_EQ(file->keep(said(proto::LeaveReply{leave.members}, number + 1), 1), std::nullopt);
        file->handled(1, number);
        EXPECT_LT(fs::file_size(path), 80'000u);
    }
    file->reserve(20'000);
    file.reset();
    const auto next = open();
    EXPECT_EQ(next->saved().joins.size(), 5000u);
    EXPECT_EQ(next->saved().unfinished.size(), 5000u);
    EXPECT_EQ(next->saved().received, 9999u);
    EXPECT_EQ(next->saved().requests, 20'000u);
}

TEST_F(StateFileTest, AFileThatWasTruncatedIsWholeWithTheNextRecord) {
    for (const std::size_t left : {std::size_t{0}, kSlots + 1, kHeader, kHeader + 10}) {
        auto file = open();
        keep_all(*file, conversation());
        fs::resize_file(path, left);
        file->handled(1, 70);
        file->reserve(20);
        EXPECT_EQ(file->keep(said(proto::JoinRequest{kOrders, 1, {}, false, 100}, 9), 1), std::nullopt);
        file.reset();
        auto expected = conversation();
        expected.push_back(said(proto::JoinRequest{kOrders, 1, {}, false, 100}, 9));
        fs::rename(path, path + ".truncated");
        file = open();
        keep_all(*file, expected);
        file->handled(1, 70);
        file->reserve(20);
        file.reset();
        const auto whole = opened();
        fs::rename(path + ".truncated", path);
        EXPECT_EQ(opened(), whole) << "truncated to " << left;
        fs::remove(path);
    }
}

TEST_F(StateFileTest, ASymbolicLinkStaysALink) {
    const auto link = folder / "link";
    fs::create_symlink(path, link);
    const auto file = StateFile::open(link);
    ASSERT_TRUE(file) << file.error().text;
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_TRUE(fs::is_regular_file(path));
}

TEST_F(StateFileTest, AWriteErrorIsReportedOnceAndEndsTheSavedSession) {
    auto file = open();
    keep_all(*file, conversation());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit full{static_cast<rlim_t>(fs::file_size(path)) + 10, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    const auto error = file->keep(said(proto::JoinRequest{kOrders, 1, {}, false, 100}, 9), 1);
    const auto again = file->keep(said(proto::JoinRequest{kOrders, 1, {}, false, 100}, 10), 1);
    file->handled(1, 70);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);
    ASSERT_TRUE(error);
    EXPECT_THAT(error->text, HasSubstr("cannot write the state file " + path));
    EXPECT_FALSE(again);
    file.reset();
    EXPECT_EQ(opened(), Digest{});
}

}  // namespace
}  // namespace muster::client
