#include "node/keys/trusted.hpp"

#include <muster/ids.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "node/keys/key_file.hpp"

namespace muster::keys {
namespace {

namespace fs = std::filesystem;

constexpr std::array kRoles{Role::node, Role::worker, Role::observer, Role::operator_};
constexpr std::size_t kMostFiles = 100'000;

std::string folder_of(Role role) {
    return std::string(to_string(role)) + "s";
}

Error bad(const std::string& path, const std::string& why) {
    return {ErrorCode::bad_request, path + ": " + why};
}

/// The .pub files of a folder, sorted. Empty if the folder does not exist.
Result<std::vector<fs::path>> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    if (!fs::exists(folder, error) && !error) return files;
    for (fs::directory_iterator one(folder, error), end; !error && one != end; one.increment(error)) {
        const auto& path = one->path();
        if (path.extension() != ".pub" || path.filename().native().front() == '.') continue;
        files.push_back(path);
        if (files.size() > kMostFiles)
            return bad(folder, "has more than 100000 .pub files: remove those that are not needed");
    }
    if (error) {
        Error unread = bad(folder, "cannot be read: " + error.message());
        // The folder itself may be right if the process has no more descriptors: then it may succeed later.
        if (error == std::errc::too_many_files_open || error == std::errc::too_many_files_open_in_system)
            unread.code = ErrorCode::overloaded;
        return unread;
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::optional<Error> take(Trusted& trusted, Role role, const fs::path& path) {
    const Identity owner{role, path.stem()};
    if (!is_valid_name(owner.name))
        return bad(path,
                   "the name before .pub is not a valid name: use 1 to 64 of [A-Za-z0-9._-], beginning with a letter "
                   "or digit");
    const auto file = read_key_file(path, false);
    if (!file) return file.error();
    if (file->secret_key) return bad(path, "has a secret key: make a new pair, and put its NAME.pub there");
    if (role == Role::node && !file->sign_key)
        return bad(path, "has no sign-key, which each node needs: use the NAME.pub that muster keygen made");
    Trusted::Keys keys;
    keys.curve.push_back(*file->public_key);
    if (file->old_public_key && file->old_public_key != file->public_key) keys.curve.push_back(*file->old_public_key);
    if (file->sign_key) keys.sign.push_back(*file->sign_key);
    if (file->old_sign_key) keys.sign.push_back(*file->old_sign_key);
    for (const auto& key : keys.curve) {
        const auto [found, fresh] = trusted.owners.emplace(key, owner);
        if (!fresh) return bad(path, "this is the key of " + to_string(found->second) + ": make another key");
    }
    if (role == Role::node) trusted.nodes.emplace(owner.name, std::move(keys));
    return std::nullopt;
}

void add_stat(std::string& to, const fs::path& path) {
    struct stat about {};
    to += path.native();
    if (::stat(path.c_str(), &about) == 0)
        for (const auto number : {static_cast<long>(about.st_mtim.tv_sec), about.st_mtim.tv_nsec, about.st_ctim.tv_nsec,
                                  static_cast<long>(about.st_size), static_cast<long>(about.st_ino)})
            to += ' ' + std::to_string(number);
    to += '\n';
}

}  // namespace

std::string_view to_string(Role role) {
    switch (role) {
        case Role::node:
            return "node";
        case Role::worker:
            return "worker";
        case Role::observer:
            return "observer";
        case Role::operator_:
            return "operator";
    }
    return {};
}

std::string to_string(const Identity& identity) {
    return std::string(to_string(identity.role)) + "/" + identity.name;
}

Result<Trusted> Trusted::read(const std::string& folder, bool others) {
    std::error_code error;
    if (!fs::is_directory(folder, error))
        return bad(folder,
                   "is not a folder: give the one that has nodes/NAME.pub, workers/NAME.pub and observers/NAME.pub");
    Trusted trusted;
    for (const Role role : kRoles) {
        if (role != Role::node && !others) continue;
        const auto files = files_of(fs::path(folder) / folder_of(role));
        if (!files) return files.error();
        for (const auto& path : *files)
            if (auto wrong = take(trusted, role, path)) return *std::move(wrong);
    }
    return trusted;
}

std::string fingerprint_of(const std::string& key, const std::string& folder) {
    std::string text;
    add_stat(text, key);
    for (const Role role : kRoles) {
        const auto path = fs::path(folder) / folder_of(role);
        add_stat(text, path);
        if (const auto files = files_of(path))
            for (const auto& file : *files) add_stat(text, file);
    }
    return text;
}

}  // namespace muster::keys
