// Files with keys: NAME.key with a secret, NAME.pub without.
#pragma once

#include <muster/result.hpp>

#include <optional>
#include <string>

#include "node/keys/key.hpp"

namespace muster::keys {

/// What a file says. Lines of TOML, `public-key = "Z85"`; lines that say anything else are skipped, so that
/// certificates of other ZeroMQ tools are read, too. No error quotes what stands in a file.
struct KeyFile {
    std::optional<PublicKey> public_key;
    std::optional<SecretKey> secret_key;
    std::optional<PublicKey> sign_key;        // that its owner's signatures are checked with
    std::optional<PublicKey> old_public_key;  // also accepted, while a key is being replaced
    std::optional<PublicKey> old_sign_key;
};

/// `secret`: the file must not be readable by others.
/// Errors: bad_request, one line that names the file.
Result<KeyFile> read_key_file(const std::string& path, bool secret);

/// Makes a file with this text; an existing one is never overwritten. `mode` as in open(2).
/// Errors: bad_request.
std::optional<Error> make_file(const std::string& path, const char* text, std::size_t size, unsigned mode);

}  // namespace muster::keys
