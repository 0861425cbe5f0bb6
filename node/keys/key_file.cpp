#include "node/keys/key_file.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace muster::keys {
namespace {

constexpr std::size_t kLargest = 4096;  // bytes of a key file

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }

private:
    const int fd_;
};

/// The text of a file, which may be secret. Overwritten at the end.
struct Text {
    ~Text() { ::sodium_memzero(bytes.data(), bytes.size()); }

    std::array<char, kLargest + 1> bytes{};
    std::size_t size = 0;
};

Error bad(const std::string& path, const std::string& why) {
    return {ErrorCode::bad_request, path + ": " + why};
}

std::string system_text() {
    return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is
}

std::string why_not_opened() {
    const bool denied = errno == EACCES;
    return "cannot be read: " + system_text() +
           (denied ? ": make it readable for the user that runs this program" : "");
}

/// The file itself may be right if the process has no more descriptors: then it may succeed later.
Error unread(const std::string& path) {
    const bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    Error error = bad(path, why_not_opened());
    if (is_short) error.code = ErrorCode::overloaded;
    return error;
}

std::optional<Error> read_text(const std::string& path, bool secret, Text& text) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat about {};
    if (file.get() < 0 || ::fstat(file.get(), &about) != 0) return unread(path);
    if (!S_ISREG(about.st_mode)) return bad(path, "is not a regular file");
    if (secret && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return bad(path, "this secret key is readable by others: chmod 600 it, or better make a new key");
    for (;;) {
        const auto got = ::read(file.get(), text.bytes.data() + text.size, text.bytes.size() - text.size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return bad(path, "cannot be read: " + system_text());
        if (got == 0) return std::nullopt;
        text.size += static_cast<std::size_t>(got);
        if (text.size > kLargest) return bad(path, "is not a key file: it is longer than 4096 bytes");
    }
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The text between the quotes. Empty if it is not quoted.
std::string_view unquoted(std::string_view text) {
    if (text.size() < 2 || (text.front() != '"' && text.front() != '\'')) return {};
    const auto end = text.find(text.front(), 1);
    return end == std::string_view::npos ? std::string_view{} : text.substr(1, end - 1);
}

/// False if the value is not a key, or if the file has this entry twice.
template <class K>
bool take(std::optional<K>& to, std::string_view value) {
    if (to) return false;
    return from_z85(value, to.emplace().data());
}

/// False if the line has the name of a key, but not a valid value.
bool take_line(std::string_view line, KeyFile& file) {
    line = trimmed(line);
    const auto equals = line.find('=');
    if (line.empty() || line.front() == '#' || equals == std::string_view::npos) return true;
    const auto key = trimmed(line.substr(0, equals));
    const auto value = unquoted(trimmed(line.substr(equals + 1)));
    if (key == "public-key") return take(file.public_key, value);
    if (key == "secret-key") return take(file.secret_key, value);
    if (key == "sign-key") return take(file.sign_key, value);
    if (key == "old-public-key") return take(file.old_public_key, value);
    if (key == "old-sign-key") return take(file.old_sign_key, value);
    return true;
}

}  // namespace

Result<KeyFile> read_key_file(const std::string& path, bool secret) {
    Text text;
    if (auto error = read_text(path, secret, text)) return *std::move(error);
    KeyFile file;
    std::string_view rest(text.bytes.data(), text.size);
    for (int number = 1; !rest.empty(); ++number) {
        const auto end = rest.find('\n');
        if (!take_line(rest.substr(0, end), file))
            return bad(path, "line " + std::to_string(number) +
                                 " is not a valid key, or repeats one: write 40 characters of Z85 in quotes");
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    if (!file.public_key) return bad(path, "has no public-key: make a key pair with muster keygen");
    return file;
}

std::optional<Error> make_file(const std::string& path, const char* text, std::size_t size, unsigned mode) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.get() < 0 && errno == EEXIST)
        return bad(path, "already exists, and keys are never overwritten: give another --dir");
    if (file.get() < 0) return bad(path, "cannot be created: " + system_text());
    for (std::size_t written = 0; written < size;) {
        const auto more = ::write(file.get(), text + written, size - written);
        if (more < 0 && errno == EINTR) continue;
        if (more < 0) {
            auto error = bad(path, "cannot be written: " + system_text());
            ::unlink(path.c_str());
            return error;
        }
        written += static_cast<std::size_t>(more);
    }
    return std::nullopt;
}

}  // namespace muster::keys
