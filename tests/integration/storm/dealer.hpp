// One connection of a liar, with a valid key or without.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <zmq.hpp>

#include "node/keys/curve.hpp"

namespace muster::test {

/// The keys of a connection: the liar's own, and the one of the node that it connects to.
struct Pass {
    const keys::KeyPair& own;
    keys::PublicKey node;
};

inline void show(zmq::socket_t& socket, const Pass* pass) {
    if (pass != nullptr) keys::be_client(socket.handle(), pass->own, pass->node);
}

class Dealer {
public:
    /// `pass`: null without keys. Who does not read takes a few kilobytes and no more.
    Dealer(zmq::context_t& context, const std::string& address, const Pass* pass, bool reads = true)
        : socket_(context, zmq::socket_type::dealer) {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.set(zmq::sockopt::sndtimeo, 1000);
        socket_.set(zmq::sockopt::sndhwm, 50);  // large frames
        if (!reads) {
            socket_.set(zmq::sockopt::rcvbuf, 4096);
            socket_.set(zmq::sockopt::rcvhwm, 1);
        }
        show(socket_, pass);
        socket_.connect("tcp://" + address);
    }

    /// False when the other side takes no more.
    bool say(std::string_view frame) { return socket_.send(zmq::buffer(frame)).has_value(); }
    /// Nothing when nothing comes in time.
    std::optional<std::string> hear(std::chrono::milliseconds patience) {
        socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(patience.count()));
        zmq::message_t frame;
        if (!socket_.recv(frame)) return std::nullopt;
        return frame.to_string();
    }

private:
    zmq::socket_t socket_;
};

}  // namespace muster::test
