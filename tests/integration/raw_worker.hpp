// A worker without its library, which may say anything.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "proto/codec.hpp"
#include "tests/integration/raw_peer.hpp"

namespace muster::test {

inline std::string to_frame(const std::string& name, std::uint64_t token, std::uint64_t seq, proto::Body body) {
    return zmtp_frame(proto::encode(proto::Message{{"default", name, token, seq}, std::move(body)}));
}

/// Connects and says hello. `token` is 0 if it was not let in.
struct RawWorker {
    RawWorker(const std::string& door, std::string own_name, int receive_buffer = 0)
        : peer(door, receive_buffer), name(std::move(own_name)) {
        if (!peer.shake("DEALER")) return;
        if (const auto welcome = hello({})) token = welcome->token.value;
    }
    std::optional<proto::WorkerWelcome> hello(const proto::WorkerHello& greeting) {
        peer.send(to_frame(name, 0, 0, greeting));
        while (const auto frame = peer.read_frame()) {
            auto decoded = proto::decode(*frame);
            const auto* welcome = decoded ? std::get_if<proto::WorkerWelcome>(&decoded->body) : nullptr;
            if (welcome != nullptr) return *welcome;
            if (decoded && std::holds_alternative<proto::Refuse>(decoded->body)) return std::nullopt;
        }
        return std::nullopt;
    }
    bool acknowledge(std::uint64_t received) {
        return peer.send(to_frame(name, token, 0, proto::WorkerHeartbeat{received}), std::chrono::seconds(2));
    }
    bool ask(proto::Body body) {
        return peer.send(to_frame(name, token, ++requests, std::move(body)), std::chrono::seconds(2));
    }

    RawPeer peer;
    std::string name;
    std::uint64_t token = 0;
    std::uint64_t requests = 0;
};

}  // namespace muster::test
