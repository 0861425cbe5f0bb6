#include "cluster/membership/seal.hpp"

#include <string_view>
#include <utility>

#include "proto/codec.hpp"

namespace muster::cluster {
namespace {

// Signed bytes begin with what they are, so that a signature of one kind cannot be used as one of the other.
constexpr std::string_view kSealTag{"muster seal\0", 12};
constexpr std::string_view kLifeTag{"muster life\0", 12};

void append(std::string& bytes, std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
}

void append(std::string& bytes, std::string_view text) {
    append(bytes, text.size());
    bytes += text;
}

}  // namespace

std::string signed_bytes(const std::string& scope, const proto::PeerRecord& record) {
    std::string bytes(kLifeTag);
    append(bytes, scope);
    append(bytes, record.id.name);
    append(bytes, record.id.incarnation.value);
    for (const std::string* address : {&record.address, &record.control, &record.gossip}) append(bytes, *address);
    return bytes;
}

std::string signed_bytes(const proto::Sealed& sealed) {
    std::string bytes(kSealTag);
    bytes.reserve(bytes.size() + 8 + sealed.message.size());
    append(bytes, sealed.stamp);
    bytes += sealed.message;
    return bytes;
}

proto::Message sealed(Context& context, proto::Message message) {
    if (!context.options.notary) return message;
    proto::Sealed seal{++context.stamp, proto::encode(message), {}};
    seal.signature = context.options.notary->sign(signed_bytes(seal));
    return {std::move(message.header), std::move(seal)};
}

std::optional<Opened> open_seal(Context& context, const proto::Message& message) {
    const auto* seal = std::get_if<proto::Sealed>(&message.body);
    if (!seal) {
        context.count("messages_unsealed");
        return std::nullopt;
    }
    auto inner = proto::decode(seal->message);
    if (!inner && inner.error() == proto::DecodeError::unknown_type) {
        context.count("messages_of_unknown_type");  // of a newer minor version: ignored
        return std::nullopt;
    }
    if (!inner || std::holds_alternative<proto::Sealed>(inner->body)) {
        context.count("seals_broken");
        return std::nullopt;
    }
    if (!context.options.notary->is_signed_by(inner->header.origin, signed_bytes(*seal), seal->signature)) {
        context.count("seals_forged");
        return std::nullopt;
    }
    return Opened{std::move(*inner), seal->stamp};
}

std::string proof_of(Context& context, const proto::PeerRecord& record) {
    if (!context.options.notary) return {};
    return context.options.notary->sign(signed_bytes(context.options.scope, record));
}

bool is_proven(Context& context, const proto::PeerRecord& record) {
    if (!context.options.notary) return true;
    return context.options.notary->is_signed_by(record.id.name, signed_bytes(context.options.scope, record),
                                                record.proof);
}

}  // namespace muster::cluster
