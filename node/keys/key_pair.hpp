// A process's own keys.
#pragma once

#include <muster/result.hpp>

#include <string>
#include <string_view>

#include "node/keys/key.hpp"

namespace muster::keys {

/// A CURVE pair for connections, and the pair for signatures that is derived from it.
class KeyPair {
public:
    static KeyPair generate();
    /// From NAME.key. Errors: bad_request, also when others may read the file.
    static Result<KeyPair> load(const std::string& path);

    [[nodiscard]] const PublicKey& public_key() const { return public_; }
    [[nodiscard]] const SecretKey& secret_key() const { return secret_; }
    [[nodiscard]] const PublicKey& sign_key() const { return sign_public_; }
    /// Ed25519, detached: 64 bytes.
    [[nodiscard]] std::string sign(std::string_view bytes) const;

private:
    KeyPair() = default;
    void derive();

    PublicKey public_{};
    SecretKey secret_;
    PublicKey sign_public_{};
    SigningKey sign_secret_;
};

/// Whether `signature` is that of the owner of `key`.
bool is_signature(const PublicKey& key, std::string_view bytes, std::string_view signature);

/// Makes FOLDER/NAME.key, which its owner alone can read, and FOLDER/NAME.pub. With `replaces`, a NAME.pub, the new
/// one says that the keys in there are accepted, too. Returns the paths.
/// Errors: bad_request; then nothing was made.
struct MadeFiles {
    std::string secret;
    std::string open;
};
Result<MadeFiles> make_key_files(const KeyPair& pair, const std::string& folder, const std::string& name,
                                 const std::string& replaces = {});

}  // namespace muster::keys
