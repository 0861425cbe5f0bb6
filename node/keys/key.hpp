// Keys as bytes and as text.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace muster::keys {

/// A public key: CURVE's (X25519), or one that signatures are checked with (Ed25519).
using PublicKey = std::array<unsigned char, 32>;

/// Bytes that are wiped when they are not needed any more, and never copied.
template <std::size_t N>
class Secret {
public:
    Secret() = default;
    ~Secret() { wipe(); }
    Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.wipe(); }
    Secret& operator=(Secret&& other) noexcept {
        if (this == &other) return *this;
        bytes_ = other.bytes_;
        other.wipe();
        return *this;
    }

    [[nodiscard]] const unsigned char* data() const { return bytes_.data(); }
    [[nodiscard]] unsigned char* data() { return bytes_.data(); }
    [[nodiscard]] static constexpr std::size_t size() { return N; }

private:
    void wipe();

    std::array<unsigned char, N> bytes_{};
};

extern template class Secret<32>;
extern template class Secret<64>;

using SecretKey = Secret<32>;
using SigningKey = Secret<64>;

inline constexpr std::size_t kZ85 = 40;  // characters of a key

std::string to_z85(const PublicKey& key);
/// False when `text` is not the Z85 of 32 bytes. `bytes` has room for 32.
bool from_z85(std::string_view text, unsigned char* bytes);
std::optional<PublicKey> public_key_from_z85(std::string_view text);
/// Of its 32 bytes.
std::optional<PublicKey> public_key_from(std::string_view bytes);

}  // namespace muster::keys
