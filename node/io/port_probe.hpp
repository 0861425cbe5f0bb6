// Finds out whether anything listens on a port.
#pragma once

#include <cstdint>

#include "node/io/address.hpp"

namespace muster::node {

/// One TCP connect that does not block. Only a refusal proves something: the host answers and no process listens on the
/// port. No answer may be a broken network, and a connection may be accepted by another process.
class PortProbe {
public:
    enum class State : std::uint8_t {
        connecting,
        connected,
        refused,
        no_route,  // this host has no way to the address, for example no IPv6
        failed,    // in another way
    };

    /// Begins to connect. The host of `to` must be numeric: a name is not looked up, the probe fails.
    explicit PortProbe(const Address& to);
    ~PortProbe();
    PortProbe(PortProbe&& other) noexcept;
    PortProbe& operator=(PortProbe&& other) noexcept;

    /// Writable as soon as the state is not `connecting`; -1 if there is nothing to wait for.
    [[nodiscard]] int fd() const { return fd_; }
    /// Does not block. A state other than `connecting` is final.
    State state();

private:
    int fd_ = -1;
    State state_ = State::failed;
};

}  // namespace muster::node
