// The own keys of a process.
#pragma once

#include <muster/result.hpp>

#include <string>
#include <string_view>

#include "node/keys/key.hpp"

namespace muster::keys {

/// A CURVE pair for connections, and a pair for signatures. The second is derived from the first, so a key file has
/// only one secret. Immutable; any thread.
class KeyPair {
public:
    static KeyPair generate();
    /// Reads NAME.key. Errors: bad_request, also if group or others can access the file.
    static Result<KeyPair> load(const std::string& path);

    [[nodiscard]] const PublicKey& public_key() const { return public_; }
    [[nodiscard]] const SecretKey& secret_key() const { return secret_; }
    [[nodiscard]] const PublicKey& sign_key() const { return sign_public_; }
    /// A detached Ed25519 signature of 64 bytes.
    [[nodiscard]] std::string sign(std::string_view bytes) const;

private:
    KeyPair() = default;
    void derive();

    PublicKey public_{};
    SecretKey secret_;
    PublicKey sign_public_{};
    SigningKey sign_secret_;
};

/// Whether the owner of `key` signed `bytes` with `signature`.
bool is_signature(const PublicKey& key, std::string_view bytes, std::string_view signature);

struct MadeFiles {
    std::string secret;  // path of NAME.key
    std::string open;    // path of NAME.pub
};
/// Makes FOLDER/NAME.key, which only its owner can read, and FOLDER/NAME.pub. `replaces`: path of a previous NAME.pub,
/// whose keys the new NAME.pub also lists, so that both are accepted during a replacement; empty: none.
/// Errors: bad_request; then neither file was made.
Result<MadeFiles> make_key_files(const KeyPair& pair, const std::string& folder, const std::string& name,
                                 const std::string& replaces = {});

}  // namespace muster::keys
