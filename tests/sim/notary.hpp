// Signatures of the simulated cluster: nobody can make another's, and that is all that counts here.
#pragma once

#include <string>
#include <string_view>

#include "cluster/notary.hpp"
#include "proto/messages.hpp"
#include "tests/sim/random.hpp"

namespace muster::sim {

/// The keys of all nodes are drawn from one secret of the run.
class Notary final : public cluster::Notary {
public:
    Notary(std::uint64_t secret, std::string self) : secret_(secret), self_(std::move(self)) {}

    std::string sign(std::string_view bytes) override { return signature(self_, bytes); }
    bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view given) override {
        return given == signature(node, bytes);
    }

private:
    [[nodiscard]] std::string signature(const std::string& node, std::string_view bytes) const;

    std::uint64_t secret_;
    std::string self_;
};

/// What is in a seal, whoever made it; any other message as it is.
proto::Message unsealed(const proto::Message& message);

}  // namespace muster::sim
