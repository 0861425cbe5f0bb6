#include "node/client/state_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "node/io/shortage.hpp"
#include "proto/codec.hpp"
#include "proto/fnv1a.hpp"

namespace muster::client {
namespace {

constexpr std::size_t kHeader = 256;
constexpr std::size_t kSlots[] = {64, 128};
constexpr std::string_view kMagic = "muster worker state 1\n";
constexpr std::size_t kMagicKind = 20;          // bytes of kMagic in front of the version
constexpr std::size_t kLeastGarbage = 1 << 16;  // outdated bytes, before the file is rewritten

/// FNV-1a with a seed. It detects every change of one byte.
std::uint64_t checksum_of(std::string_view bytes, std::uint64_t seed) {
    return proto::fnv1a(bytes, proto::kFnvBasis ^ seed);
}

template <class T>
std::string_view bytes_of(const T& value, std::size_t size) {
    return {reinterpret_cast<const char*>(&value), size};
}

/// Little-endian here and wherever muster runs; a file does not travel.
struct Slot {
    std::uint64_t turn = 0;
    std::uint64_t token = 0;
    std::uint64_t received = 0;
    std::uint64_t requests = 0;
    std::uint64_t check = 0;

    [[nodiscard]] std::uint64_t checksum() const {
        return checksum_of(bytes_of(*this, offsetof(Slot, check)), kHeader);
    }
};

struct RecordHead {
    std::uint64_t length = 0;
    std::uint64_t head_check = 0;
    std::uint64_t check = 0;

    [[nodiscard]] std::uint64_t checksum(std::size_t at) const {
        return checksum_of(bytes_of(length, sizeof length), at);
    }
};

void add_record(std::string& bytes, std::size_t at, const proto::Message& message) {
    const auto begin = bytes.size();
    bytes.resize(begin + sizeof(RecordHead));
    proto::encode(message, bytes);
    RecordHead head;
    head.length = bytes.size() - begin - sizeof head;
    head.head_check = head.checksum(at);
    head.check = checksum_of(std::string_view(bytes).substr(begin + sizeof head), at);
    std::memcpy(bytes.data() + begin, &head, sizeof head);
}

std::string reason() {
    return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is
}

Error cannot(const std::string& what, const std::string& path) {
    const int error = errno;
    if (node::is_shortage(error)) return node::shortage_error("cannot " + what + " the state file " + path, error);
    const std::string failed = "cannot " + what + " the state file " + path + ": " + reason();
    if (error == ENOSPC || error == EDQUOT || error == EIO || error == ENOLCK)
        return {ErrorCode::overloaded, failed + ": make room there, or give a file on another disk"};
    return {ErrorCode::bad_request, failed + ": check the path and who may write there"};
}

Error unusable(const std::string& path, const std::string& why) {
    return {ErrorCode::bad_request,
            "the state file " + path + " " + why + ": move it away to start a new session, or give another file"};
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto wrote = ::write(fd, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return true;
}

bool read_all(int fd, std::string& bytes) {
    std::array<char, 65536> part;
    off_t at = 0;
    while (true) {
        const auto got = ::pread(fd, part.data(), part.size(), at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0;
        bytes.append(part.data(), static_cast<std::size_t>(got));
        at += got;
    }
}

/// The path with every symbolic link followed, so that a rewrite replaces the file and not a link to it.
std::string resolved(const std::string& path) {
    char* const real = ::realpath(path.c_str(), nullptr);
    if (real == nullptr) return path;
    std::string text(real);
    std::free(real);
    return text;
}

}  // namespace

Result<std::shared_ptr<StateFile>> StateFile::open(const std::string& path) {
    std::shared_ptr<StateFile> file(new StateFile(path));
    if (auto error = file->lock()) return *std::move(error);
    if (auto error = file->load()) return *std::move(error);
    if (auto error = file->rewrite()) return *std::move(error);
    return file;
}

StateFile::~StateFile() {
    if (fd_ >= 0) ::close(fd_);
}

std::optional<Error> StateFile::lock() {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd_ < 0) return cannot("open", path_);
    path_ = resolved(path_);
    struct stat opened {};
    struct stat named {};
    if (::fstat(fd_, &opened) != 0) return cannot("open", path_);
    if (!S_ISREG(opened.st_mode)) return unusable(path_, "is not a regular file");
    const bool locked = ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK) return cannot("lock", path_);
    // A process that rewrites the file replaces it: the file that was opened may not be the one at `path` any more.
    const bool same = ::stat(path_.c_str(), &named) == 0 && named.st_ino == opened.st_ino;
    if (locked && same) return std::nullopt;
    return Error{ErrorCode::refused, "the state file " + path_ +
                                         " is in use by another live process: give each worker its own, or stop the "
                                         "other first"};
}

std::optional<Error> StateFile::load() {
    std::string bytes;
    if (!read_all(fd_, bytes)) return cannot("read", path_);
    if (bytes.empty()) return std::nullopt;
    if (const auto why = parse(bytes)) return unusable(path_, *why);
    return std::nullopt;
}

/// Returns what is wrong, or nothing. A last record that is cut short is ignored: the process was killed while it wrote
/// the record, so the message was not sent.
std::optional<std::string> StateFile::parse(const std::string& bytes) {
    const std::string_view all(bytes);
    if (all.substr(0, kMagicKind) != kMagic.substr(0, kMagicKind)) return "was not written by a muster worker";
    if (all.substr(0, kMagic.size()) != kMagic) return "is of another version of muster";
    if (all.size() < kHeader) return "is cut short";
    Slot latest;
    for (const auto at : kSlots) {
        Slot slot;
        std::memcpy(&slot, bytes.data() + at, sizeof slot);
        if (slot.check == slot.checksum() && slot.turn > latest.turn) latest = slot;
    }
    if (latest.turn == 0) return "is damaged at its beginning";
    std::size_t at = kHeader;
    while (all.size() - at >= sizeof(RecordHead)) {
        RecordHead head;
        std::memcpy(&head, bytes.data() + at, sizeof head);
        const auto damaged = "is damaged at byte " + std::to_string(at);
        if (head.head_check != head.checksum(at)) return damaged;
        if (head.length > all.size() - at - sizeof head) break;
        const auto length = static_cast<std::size_t>(head.length);
        const auto frame = all.substr(at + sizeof head, length);
        if (head.check != checksum_of(frame, at)) return damaged;
        auto message = proto::decode(frame);
        if (!message || !apply(current_, *message)) return damaged;
        at += sizeof head + length;
    }
    if (latest.token == 0) current_ = {};
    const bool is_its = current_.token && latest.token == current_.token.value;
    current_.received = is_its ? latest.received : 0;
    current_.requests = is_its ? latest.requests : 0;
    opened_ = current_;
    progress_ = {0, current_.token.value, current_.received, current_.requests};
    return std::nullopt;
}

std::optional<Error> StateFile::rewrite() {
    std::string bytes(kHeader, '\0');
    std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
    for (const auto& message : conversation_of(current_)) add_record(bytes, bytes.size(), message);

    const std::string new_path = path_ + ".new";
    ::unlink(new_path.c_str());
    const int fd = ::open(new_path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return cannot("write", path_);
    const bool written = ::flock(fd, LOCK_EX | LOCK_NB) == 0 && write_all(fd, bytes) && store(fd, 2);
    if (!written || ::rename(new_path.c_str(), path_.c_str()) != 0) {
        auto error = cannot("write", path_);
        ::close(fd);
        ::unlink(new_path.c_str());
        return error;
    }
    ::close(std::exchange(fd_, fd));
    size_ = rewritten_size_ = bytes.size();
    return std::nullopt;
}

std::optional<Error> StateFile::keep(const proto::Message& message, std::uint64_t session) {
    const std::lock_guard lock(mutex_);
    if (failed_) return std::nullopt;
    const bool ends = std::holds_alternative<proto::WorkerGoodbye>(message.body);
    const bool begins = std::holds_alternative<proto::WorkerWelcome>(message.body);
    std::optional<Error> error;
    if (!apply(current_, message)) error = unusable(path_, "does not match the messages that are sent");
    if (!error) error = append(message);
    if (error) {
        fail();
        return error;
    }
    if (!begins && !ends) return std::nullopt;
    session_ = session;
    progress_ = {progress_.turn, current_.token.value, 0, 0};
    store(2);
    return std::nullopt;
}

std::optional<Error> StateFile::append(const proto::Message& message) {
    errno = store_error_;
    if (store_error_ != 0) return cannot("write", path_);
    struct stat now {};
    const bool resized = ::fstat(fd_, &now) != 0 || static_cast<std::size_t>(now.st_size) != size_;
    // `message` is applied already.
    if (resized || size_ > 2 * rewritten_size_ + kLeastGarbage) return rewrite();
    buffer_.clear();
    add_record(buffer_, size_, message);
    if (!write_all(fd_, buffer_)) return cannot("write", path_);
    size_ += buffer_.size();
    return std::nullopt;
}

void StateFile::reserve(std::uint64_t requests) {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    progress_.requests = requests;
    store(2);
}

void StateFile::handled(std::uint64_t session, std::uint64_t seq) {
    const std::lock_guard lock(mutex_);
    if (failed_ || session != session_ || seq <= progress_.received) return;
    progress_.received = seq;
    store(1);
}

void StateFile::fail() {
    failed_ = true;
    progress_.token = 0;
    store(2);
}

void StateFile::store(int times) {
    if (!store(fd_, times)) store_error_ = errno;
}

/// Stores the progress into the slots in turn. Two times are needed where the old progress must not be read any more.
/// False on error, with errno.
bool StateFile::store(int fd, int times) {
    for (int i = 0; i < times; ++i) {
        ++progress_.turn;
        Slot slot{progress_.turn, progress_.token, progress_.received, progress_.requests, 0};
        slot.check = slot.checksum();
        const auto at = static_cast<off_t>(kSlots[progress_.turn % 2]);
        ssize_t wrote = 0;
        do wrote = ::pwrite(fd, &slot, sizeof slot, at);
        while (wrote < 0 && errno == EINTR);
        if (wrote != sizeof slot) return false;
    }
    return true;
}

}  // namespace muster::client
