// Key files: NAME.key has a secret key, NAME.pub does not.
#pragma once

#include <muster/result.hpp>

#include <optional>
#include <string>

#include "node/keys/key.hpp"

namespace muster::keys {

/// The content of a key file. It has lines of TOML such as `public-key = "Z85"`. Other lines are skipped, so
/// certificates of other ZeroMQ tools can be read too. No error quotes the content of a file, because it may be secret.
struct KeyFile {
    std::optional<PublicKey> public_key;
    std::optional<SecretKey> secret_key;
    std::optional<PublicKey> sign_key;        // checks signatures of the owner
    std::optional<PublicKey> old_public_key;  // also accepted while a key is being replaced
    std::optional<PublicKey> old_sign_key;
};

/// `secret`: the file must not be accessible to group or others.
/// Errors: bad_request (or overloaded, if the process has no more descriptors), in one line that names the file and
/// says what to do.
Result<KeyFile> read_key_file(const std::string& path, bool secret);

/// Creates a file with this text. Never overwrites an existing file. `mode`: as in open(2).
/// Returns the error (bad_request), or nothing on success; after an error there is no new file.
std::optional<Error> make_file(const std::string& path, const char* text, std::size_t size, unsigned mode);

}  // namespace muster::keys
