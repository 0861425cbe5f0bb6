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

/// What one .pub file says.
struct Entry {
    Identity owner;
    Trusted::Keys keys;
    bool is_valid = false;  // otherwise the owner keeps the keys that it had
};

/// The owner is known even if the file is invalid.
std::optional<Error> read_entry(const fs::path& path, Entry& entry) {
    const Identity& owner = entry.owner;
    if (!is_valid_name(owner.name))
        return bad(path,
                   "the name before .pub is not a valid name: use 1 to 64 of [A-Za-z0-9._-], beginning with a letter "
                   "or digit");
    const auto file = read_key_file(path, false);
    if (!file) return file.error();
    if (file->secret_key) return bad(path, "has a secret key: make a new pair, and put its NAME.pub there");
    if (owner.role == Role::node && !file->sign_key)
        return bad(path, "has no sign-key, which each node needs: use the NAME.pub that muster keygen made");
    auto& [curve, sign] = entry.keys;
    curve.push_back(*file->public_key);
    if (file->old_public_key && file->old_public_key != file->public_key) curve.push_back(*file->old_public_key);
    if (file->sign_key) sign.push_back(*file->sign_key);
    if (file->old_sign_key) sign.push_back(*file->old_sign_key);
    entry.is_valid = true;
    return std::nullopt;
}

/// The entries of all files, those of a folder sorted by path. A folder that cannot be read is added to `unread`.
std::vector<Entry> read_entries(const std::string& folder, bool others, std::vector<Role>& unread,
                                std::vector<Error>& problems) {
    std::vector<Entry> entries;
    std::map<PublicKey, std::size_t> first_with;  // of the entries
    for (const Role role : kRoles) {
        if (role != Role::node && !others) continue;
        const auto files = files_of(fs::path(folder) / folder_of(role));
        if (!files) {
            unread.push_back(role);
            problems.push_back(files.error());
            continue;
        }
        for (const auto& path : *files) {
            Entry entry{{role, path.stem()}, {}};
            auto wrong = read_entry(path, entry);
            for (const auto& key : entry.keys.curve) {
                const auto [found, fresh] = first_with.emplace(key, entries.size());
                if (fresh) continue;
                // Neither is believed: otherwise it would depend on the order of the files who a peer is.
                Entry& other = entries[found->second];
                other.is_valid = entry.is_valid = false;
                if (!wrong) wrong = bad(path, "this is the key of " + to_string(other.owner) + ": make another key");
            }
            if (wrong) problems.push_back(*std::move(wrong));
            entries.push_back(std::move(entry));
        }
    }
    return entries;
}

/// Adds an owner with those of its CURVE keys that nobody else has.
void add(Trusted& trusted, const Identity& owner, Trusted::Keys keys) {
    std::erase_if(keys.curve, [&](const PublicKey& key) { return !trusted.owners.emplace(key, owner).second; });
    if (keys.curve.empty()) return;
    if (owner.role == Role::worker) trusted.workers.insert(owner.name);
    if (owner.role == Role::node) trusted.nodes.emplace(owner.name, std::move(keys));
}

std::map<Identity, Trusted::Keys> keys_by_owner(const Trusted& trusted) {
    std::map<Identity, Trusted::Keys> keys;
    for (const auto& [name, of_node] : trusted.nodes) keys.emplace(Identity{Role::node, name}, of_node);
    for (const auto& [key, owner] : trusted.owners)
        if (owner.role != Role::node) keys[owner].curve.push_back(key);
    return keys;
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

Trusted Trusted::read(const std::string& folder, bool others, const Trusted& before, std::vector<Error>& problems) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
        problems.push_back(bad(
            folder, "is not a folder: give the one that has nodes/NAME.pub, workers/NAME.pub and observers/NAME.pub"));
        return before;
    }
    std::vector<Role> unread;
    const auto entries = read_entries(folder, others, unread, problems);
    Trusted trusted;
    for (const auto& entry : entries)
        if (entry.is_valid) add(trusted, entry.owner, entry.keys);
    auto earlier = keys_by_owner(before);
    for (const auto& entry : entries)
        if (!entry.is_valid) add(trusted, entry.owner, earlier[entry.owner]);
    for (const auto& [owner, keys] : earlier)
        if (std::find(unread.begin(), unread.end(), owner.role) != unread.end()) add(trusted, owner, keys);
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
