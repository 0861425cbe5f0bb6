// A worker's state file that somebody has written or cut short. Behind a first byte below 4, which says which checksums
// are made right, since nothing behind a wrong one is ever reached: the file. Else a conversation, well formed.
#include "node/client/state_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "cluster/check.hpp"
#include "node/client/session.hpp"
#include "proto/codec.hpp"
#include "proto/fnv1a.hpp"
#include "tests/fuzz/dream.hpp"

namespace muster::fuzz {
namespace {

using namespace client;  // NOLINT(google-build-using-namespace)

// The layout, as state_file.hpp describes it.
constexpr std::size_t kHeader = 256;
constexpr std::size_t kSlots[] = {64, 128};
constexpr std::size_t kSlot = 32;  // bytes before its checksum
constexpr std::size_t kRecordHead = 24;
constexpr std::string_view kMagic = "muster worker state 1\n";
constexpr std::size_t kMostSaid = 64;

std::uint64_t checksum_of(std::string_view bytes, std::uint64_t seed) {
    return proto::fnv1a(bytes, proto::kFnvBasis ^ seed);
}

void put(std::string& file, std::size_t at, std::uint64_t value) {
    std::memcpy(file.data() + at, &value, sizeof value);
}

void mend_slots(std::string& file) {
    for (const auto at : kSlots)
        if (file.size() >= at + kSlot + sizeof(std::uint64_t))
            put(file, at + kSlot, checksum_of(std::string_view(file).substr(at, kSlot), kHeader));
}

/// Checksums, and lengths that lead beyond the end.
void mend_records(std::string& file) {
    std::size_t at = kHeader;
    while (at + kRecordHead <= file.size()) {
        std::uint64_t length = 0;
        std::memcpy(&length, file.data() + at, sizeof length);
        const std::size_t left = file.size() - at - kRecordHead;
        if (length > left) length = left == 0 ? 0 : length % (left + 1);
        put(file, at, length);
        const auto begin = at + kRecordHead;
        put(file, at + 8, checksum_of(std::string_view(file).substr(at, sizeof length), at));
        put(file, at + 16, checksum_of(std::string_view(file).substr(begin, length), at));
        at = begin + length;
    }
}

/// A session of token 42 begins, and then anything is said.
std::string conversation(Input& input) {
    Words words;
    words.tokens = {SessionToken{42}};
    const proto::WorkerWelcome welcome{
        words.tokens.front(), false, 0, 0, 0, {{"a", Incarnation{1}}, {}, "a:1"}, {"a:1"}};
    std::vector<proto::Message> said{{{"default", "w1", 42, 0}, proto::WorkerHello{}},
                                     {{"default", "a", 1, 0}, welcome}};
    for (Dream dream(input, words); !input.empty() && said.size() < kMostSaid;) {
        proto::Message message{{"default", "w1", 42, 1 + input.below(4)}, {}};
        switch (input.below(8)) {
            case 0:
                message.body = dream.one<proto::JoinRequest>();
                break;
            case 1:
                message.body = dream.one<proto::JoinReply>();
                break;
            case 2:
                message.body = dream.one<proto::LeaveRequest>();
                break;
            case 3:
                message.body = dream.one<proto::LeaveReply>();
                break;
            case 4:
                message.body = proto::WatchRequest{};
                break;
            case 5:
                message.body = proto::UnwatchRequest{1 + input.below(4)};
                break;
            case 6:
                message.body = proto::DoneReply{};
                break;
            default:
                message = dream.message();
        }
        said.push_back(std::move(message));
    }
    std::string file(kHeader, '\0');
    file.replace(0, kMagic.size(), kMagic);
    put(file, kSlots[0], 1);  // turn
    put(file, kSlots[0] + 8, 42);
    for (const auto& message : said) {
        const auto at = file.size();
        file.resize(at + kRecordHead);
        proto::encode(message, file);
        put(file, at, file.size() - at - kRecordHead);
    }
    mend_slots(file);
    mend_records(file);
    return file;
}

/// In a folder of its own, in memory where there is such a place.
const std::string& path() {
    static const std::string kept = [] {
        const std::string parent = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        std::string name = parent + "/muster-fuzz-" + std::string(6, 'X');
        MUSTER_CHECK(::mkdtemp(name.data()) != nullptr);
        return name + "/state";
    }();
    static const int cleaned = std::atexit([] {
        ::unlink(kept.c_str());
        ::rmdir(kept.substr(0, kept.rfind('/')).c_str());
    });
    (void)cleaned;
    return kept;
}

void write(std::string_view bytes) {
    const int fd = ::open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUSTER_CHECK(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    ::close(fd);
}

std::string read() {
    std::string bytes(1u << 20, '\0');
    const int fd = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
    const auto got = ::read(fd, bytes.data(), bytes.size());
    MUSTER_CHECK(fd >= 0 && got >= 0);
    ::close(fd);
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
}

/// A worker that goes on with what the file says, and is let in.
void go_on(const SavedSession& saved) {
    Session session({.name = saved.worker.empty() ? "w" : saved.worker,
                     .scope = "default",
                     .nodes = {"a:1"},
                     .keeps = true,
                     .saved = saved});
    Instant now{std::chrono::seconds(1000)};
    Actions actions;
    session.start(now);
    for (const bool resumed : {true, false}) {
        proto::WorkerWelcome welcome{saved.token, resumed, 500, 2000, 1000, saved.node, {}};
        if (!welcome.token) welcome.token = SessionToken{1};
        session.message_arrived(now, {{"default", "a", 1, 0}, welcome});
        for (const auto& [number, request] : saved.unfinished)
            session.message_arrived(now, {{"default", "a", 1, number}, proto::DoneReply{}});
        session.tick(now += std::chrono::seconds(1));
        session.take_actions(actions);
        session.connection_broken(now);
    }
    session.close();
}

/// What the file says, in its order; without a session nothing is to go on with.
std::vector<proto::Message> told(const SavedSession& saved) {
    return saved.token ? conversation_of(saved) : std::vector<proto::Message>();
}

void run(const std::string& bytes) {
    write(bytes);
    std::vector<proto::Message> conversation;
    {
        const auto opened = StateFile::open(path());
        if (!opened) {
            MUSTER_CHECK(opened.error().code == ErrorCode::bad_request);
            MUSTER_CHECK(opened.error().text.find(path()) != std::string::npos);
            MUSTER_CHECK(opened.error().text.find('\n') == std::string::npos);
            MUSTER_CHECK(read() == bytes);
            return;
        }
        conversation = told((*opened)->saved());
        go_on((*opened)->saved());
    }
    const auto again = StateFile::open(path());  // as it was written anew
    MUSTER_CHECK(again.ok());
    MUSTER_CHECK(told((*again)->saved()) == conversation);
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    muster::fuzz::Input input(data, size);
    const std::uint8_t mended = input.byte();
    if (mended >= 4) return muster::fuzz::run(muster::fuzz::conversation(input)), 0;
    std::string file(input.rest());
    if ((mended & 1) != 0) muster::fuzz::mend_slots(file);
    if ((mended & 2) != 0) muster::fuzz::mend_records(file);
    muster::fuzz::run(file);
    return 0;
}
