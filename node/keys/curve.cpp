#include "node/keys/curve.hpp"

#include <zmq.h>

#include <cstdlib>
#include <cstring>

namespace muster::keys {
namespace {

/// Fails only if libzmq was built without CURVE. Then the process must not continue without encryption.
void set(void* socket, int option, const void* value, std::size_t size) {
    if (::zmq_setsockopt(socket, option, value, size) != 0) std::abort();
}

}  // namespace

void be_server(void* socket, const KeyPair& own, const char* zap_domain) {
    const int yes = 1;
    set(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);
    set(socket, ZMQ_CURVE_SECRETKEY, own.secret_key().data(), SecretKey::size());
    set(socket, ZMQ_ZAP_DOMAIN, zap_domain, std::strlen(zap_domain));
}

void be_client(void* socket, const KeyPair& own, const PublicKey& server) {
    set(socket, ZMQ_CURVE_SERVERKEY, server.data(), server.size());
    set(socket, ZMQ_CURVE_PUBLICKEY, own.public_key().data(), own.public_key().size());
    set(socket, ZMQ_CURVE_SECRETKEY, own.secret_key().data(), SecretKey::size());
}

}  // namespace muster::keys
