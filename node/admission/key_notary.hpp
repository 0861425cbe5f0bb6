// Signs for the core, and checks signatures, with the node's keys.
#pragma once

#include <memory>

#include "cluster/notary.hpp"
#include "node/keys/keyring.hpp"

namespace muster::node {

/// The core's Notary over a Keyring.
class KeyNotary final : public cluster::Notary {
public:
    explicit KeyNotary(std::shared_ptr<const keys::Keyring> keys) : keys_(std::move(keys)) {}

    std::string sign(std::string_view bytes) override;
    bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) override;
    [[nodiscard]] std::uint64_t removals() const override;
    [[nodiscard]] bool is_key_of_worker(const std::string& name) const override;

private:
    const std::shared_ptr<const keys::Keyring> keys_;
};

}  // namespace muster::node
