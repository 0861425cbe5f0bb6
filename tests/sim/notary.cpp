#include "tests/sim/notary.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "proto/codec.hpp"

namespace muster::sim {

std::string Notary::signature(const std::string& node, std::string_view bytes) const {
    std::uint64_t number = 0;
    if (replaced_) {
        const auto found = replaced_->of.find(node);
        if (found != replaced_->of.end()) number = found->second;
    }
    const std::uint64_t key = XXH3_64bits_withSeed(node.data(), node.size(), secret_ + number);
    std::string made;
    for (std::uint64_t word = 0; made.size() < kSignature; ++word) {
        const std::uint64_t hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), key + word);
        for (int shift = 0; shift < 64; shift += 8) made += static_cast<char>(hash >> shift & 0xff);
    }
    return made;
}

proto::Message unsealed(const proto::Message& message) {
    const auto* seal = std::get_if<proto::Sealed>(&message.body);
    auto inner = seal ? proto::decode(seal->message) : proto::Decoded(message);
    return inner ? std::move(*inner) : message;
}

}  // namespace muster::sim
