// How a node or worker puts its messages into frames: as this version does, or as a newer minor may.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/notary.hpp"
#include "tests/sim/random.hpp"
#include "tests/versions/newer.hpp"

namespace muster::sim {

class Speech {
public:
    /// `notary` makes the seals; null where there are no keys, and for workers.
    Speech(bool newer, Random random, std::shared_ptr<Notary> notary = nullptr) : random_(random.fork()) {
        if (!newer) return;
        versions::NewerPeer::Seal seal;
        if (notary)
            seal = [notary](const proto::Sealed& sealed) { return notary->sign(cluster::signed_bytes(sealed)); };
        peer_.emplace(std::move(seal));
    }

    /// One frame, or two when it comes with a message of an unknown type.
    std::vector<Frame> frames(const proto::Message& message) {
        std::vector<Frame> all;
        if (!peer_) {
            all.push_back(std::make_shared<const std::string>(proto::encode(message)));
            return all;
        }
        if (random_.permille(kUnknownPermille))
            all.push_back(std::make_shared<const std::string>(
                peer_->unknown(message.header, std::holds_alternative<proto::Sealed>(message.body))));
        all.push_back(std::make_shared<const std::string>(peer_->encode(message)));
        return all;
    }

private:
    static constexpr std::uint64_t kUnknownPermille = 50;

    std::optional<versions::NewerPeer> peer_;
    Random random_;
};

}  // namespace muster::sim
