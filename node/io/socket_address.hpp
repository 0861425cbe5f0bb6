// A numeric address for the system's calls.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <string>

#include "node/io/address.hpp"

namespace muster::node {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    [[nodiscard]] int family() const { return storage.ss_family; }
};

/// Empty for a name: no name service is asked, which could block.
inline std::optional<SocketAddress> socket_address(const Address& numeric) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(numeric.host.c_str(), std::to_string(numeric.port).c_str(), &hints, &found) != 0)
        return std::nullopt;
    SocketAddress address;
    address.size = found->ai_addrlen;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    ::freeaddrinfo(found);
    return address;
}

}  // namespace muster::node
