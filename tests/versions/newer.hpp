// What a peer of a newer minor says: PROTOCOL.md, "Evolution".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "proto/messages.hpp"

namespace muster::versions {

/// Encodes as a later release may: every message and every record in it ends with fields that nobody knows yet, the
/// trailing map has keys, and between the messages there are others of unknown types. What is added takes turns, so
/// that all kinds of msgpack values come at all places. Written without the codec, but for the order of the fields.
class NewerPeer {
public:
    /// The signature of its own node on a message that it has sealed.
    using Seal = std::function<std::string(const proto::Sealed&)>;

    /// Without `seal`, what is sealed stays as it is.
    explicit NewerPeer(Seal seal = nullptr) : seal_(std::move(seal)) {}

    /// The message with additions. A frame that would become too large goes without.
    std::string encode(const proto::Message& message);
    /// A message of a type that nobody knows, from the same speaker; with `seal`, every other one sealed.
    /// `sealed`: now and then in a seal, where there are keys.
    std::string unknown(const proto::Header& header, bool sealed = false);

private:
    Seal seal_;
    std::uint64_t turn_ = 0;
};

/// The frame with its major replaced; as it is when it has none.
std::string with_major(std::string frame, char major);

}  // namespace muster::versions
