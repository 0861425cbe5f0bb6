// What a message says, by name: written from the structs and not from the order on the wire, so that a mistake in that
// order shows.
#pragma once

#include <nlohmann/json.hpp>

#include "proto/messages.hpp"

namespace muster::versions {

/// {"type": "Ping", "scope": …, "origin": …, "incarnation": …, "seq": …, "body": {"nonce": …}}. Bytes are
/// hexadecimal, enumerators are numbers.
nlohmann::json meaning(const proto::Message& message);

/// The name of a message's type, as in PROTOCOL.md.
std::string type_of(const proto::Message& message);

}  // namespace muster::versions
