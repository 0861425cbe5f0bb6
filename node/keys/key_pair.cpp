#include "node/keys/key_pair.hpp"

#include <muster/ids.hpp>

#include <sodium.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "node/keys/key_file.hpp"

namespace muster::keys {
namespace {

constexpr unsigned kOwnerOnly = 0600;
constexpr unsigned kForAll = 0644;
constexpr std::uint64_t kSigning = 1;         // index of the derived key
constexpr const char* kContext = "mustersg";  // of the derivation: 8 characters, fixed for ever

void start_sodium() {
    // Fails if there is no secure randomness. Keys would not be secret then.
    if (::sodium_init() < 0) std::abort();
}

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string line_of(const std::string& key, const PublicKey& value) {
    return key + " = \"" + to_z85(value) + "\"\n";
}

/// Writes NAME.key from a buffer that is overwritten afterwards, so no copy of the secret remains in memory.
std::optional<Error> make_secret_file(const KeyPair& pair, const std::string& path) {
    const std::string before = "# The secret key of one process. Keep it on its own host only.\n" +
                               line_of("public-key", pair.public_key()) + "secret-key = \"";
    std::array<char, 512> text{};
    std::array<char, kZ85 + 1> secret{};
    ::zmq_z85_encode(secret.data(), pair.secret_key().data(), SecretKey::size());
    char* end = text.data() + before.copy(text.data(), text.size());
    end = std::copy_n(secret.data(), kZ85, end);
    *end++ = '"';
    *end++ = '\n';
    auto error = make_file(path, text.data(), static_cast<std::size_t>(end - text.data()), kOwnerOnly);
    ::sodium_memzero(secret.data(), secret.size());
    ::sodium_memzero(text.data(), text.size());
    return error;
}

}  // namespace

KeyPair KeyPair::generate() {
    start_sodium();
    KeyPair pair;
    ::crypto_box_keypair(pair.public_.data(), pair.secret_.data());
    pair.derive();
    return pair;
}

Result<KeyPair> KeyPair::load(const std::string& path) {
    start_sodium();
    auto file = read_key_file(path, true);
    if (!file) return file.error();
    if (!file->secret_key)
        return Error{ErrorCode::bad_request,
                     path + ": has no secret-key: give the file NAME.key that muster keygen made"};
    KeyPair pair;
    pair.secret_ = *std::move(file->secret_key);
    if (::crypto_scalarmult_base(pair.public_.data(), pair.secret_.data()) != 0 || pair.public_ != *file->public_key)
        return Error{ErrorCode::bad_request,
                     path + ": public-key does not belong to secret-key: make a new pair with muster keygen"};
    pair.derive();
    return pair;
}

void KeyPair::derive() {
    SecretKey seed;
    static_assert(crypto_kdf_KEYBYTES == SecretKey::size() && crypto_sign_SEEDBYTES == SecretKey::size());
    ::crypto_kdf_derive_from_key(seed.data(), SecretKey::size(), kSigning, kContext, secret_.data());
    ::crypto_sign_seed_keypair(sign_public_.data(), sign_secret_.data(), seed.data());
}

std::string KeyPair::sign(std::string_view bytes) const {
    std::string signature(crypto_sign_BYTES, '\0');
    ::crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr, bytes_of(bytes), bytes.size(),
                           sign_secret_.data());
    return signature;
}

bool is_signature(const PublicKey& key, std::string_view bytes, std::string_view signature) {
    return signature.size() == crypto_sign_BYTES &&
           ::crypto_sign_verify_detached(bytes_of(signature), bytes_of(bytes), bytes.size(), key.data()) == 0;
}

Result<MadeFiles> make_key_files(const KeyPair& pair, const std::string& folder, const std::string& name,
                                 const std::string& replaces) {
    if (!is_valid_name(name))
        return Error{ErrorCode::bad_request, "\"" + name +
                                                 "\" is not a valid name: give 1 to 64 of [A-Za-z0-9._-], beginning "
                                                 "with a letter or digit"};
    std::string open = line_of("public-key", pair.public_key()) + line_of("sign-key", pair.sign_key());
    if (!replaces.empty()) {
        const auto old = read_key_file(replaces, false);
        if (!old) return old.error();
        open += line_of("old-public-key", *old->public_key);
        if (old->sign_key) open += line_of("old-sign-key", *old->sign_key);
    }
    const std::string base = (folder.empty() ? "" : folder + "/") + name;
    const MadeFiles files{base + ".key", base + ".pub"};
    if (auto error = make_file(files.open, open.data(), open.size(), kForAll)) return *std::move(error);
    if (auto error = make_secret_file(pair, files.secret)) {
        ::unlink(files.open.c_str());
        return *std::move(error);
    }
    return files;
}

}  // namespace muster::keys
