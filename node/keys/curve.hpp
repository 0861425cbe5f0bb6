// Sets the CURVE options of a ZeroMQ socket. Call before bind or connect.
#pragma once

#include "node/keys/key_pair.hpp"

namespace muster::keys {

/// The ZAP handler of the socket's context decides which peers may connect. It receives `zap_domain` with each request.
void be_server(void* socket, const KeyPair& own, const char* zap_domain);
/// Applies to later connects. The handshake succeeds only with the peer that has the secret key of `server`.
void be_client(void* socket, const KeyPair& own, const PublicKey& server);

}  // namespace muster::keys
