// What makes a ZeroMQ socket one of CURVE. To be set before bind or connect.
#pragma once

#include "node/keys/key_pair.hpp"

namespace muster::keys {

/// Who may connect is decided by the ZAP handler of the socket's context, which is told the domain.
void be_server(void* socket, const KeyPair& own, const char* zap_domain);
/// Holds for connects that come after it: to whoever has the other half of `server`.
void be_client(void* socket, const KeyPair& own, const PublicKey& server);

}  // namespace muster::keys
