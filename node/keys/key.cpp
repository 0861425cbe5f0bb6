#include "node/keys/key.hpp"

#include <sodium.h>
#include <zmq.h>

#include <algorithm>

namespace muster::keys {

template <std::size_t N>
void Secret<N>::wipe() {
    ::sodium_memzero(bytes_.data(), bytes_.size());
}
template class Secret<32>;
template class Secret<64>;

std::string to_z85(const PublicKey& key) {
    std::array<char, kZ85 + 1> text{};
    ::zmq_z85_encode(text.data(), key.data(), key.size());
    return {text.data(), kZ85};
}

bool from_z85(std::string_view text, unsigned char* bytes) {
    if (text.size() != kZ85) return false;
    std::array<char, kZ85 + 1> terminated{};  // libzmq takes a C string
    std::copy(text.begin(), text.end(), terminated.begin());
    const bool done = std::find(text.begin(), text.end(), '\0') == text.end() &&
                      ::zmq_z85_decode(bytes, terminated.data()) != nullptr;
    ::sodium_memzero(terminated.data(), terminated.size());
    return done;
}

std::optional<PublicKey> public_key_from_z85(std::string_view text) {
    PublicKey key{};
    if (!from_z85(text, key.data())) return std::nullopt;
    return key;
}

std::optional<PublicKey> public_key_from(std::string_view bytes) {
    PublicKey key{};
    if (bytes.size() != key.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}

}  // namespace muster::keys
