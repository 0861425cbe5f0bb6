// Keys as bytes and as text.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace muster::keys {

/// A public key: of CURVE (X25519), or for checking signatures (Ed25519).
using PublicKey = std::array<unsigned char, 32>;

/// Secret bytes. They can be moved but not copied, and are overwritten when the object ends or is moved from.
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

inline constexpr std::size_t kZ85 = 40;  // characters of a 32-byte key in Z85

std::string to_z85(const PublicKey& key);
/// Decodes 32 bytes into `bytes`. False if `text` is not the Z85 of 32 bytes.
bool from_z85(std::string_view text, unsigned char* bytes);
std::optional<PublicKey> public_key_from_z85(std::string_view text);
/// From the 32 raw bytes of a key. Nothing if the size is another.
std::optional<PublicKey> public_key_from(std::string_view bytes);

}  // namespace muster::keys
