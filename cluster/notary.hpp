// Signatures, as the core sees them. node/admission/key_notary.hpp implements them with keys; so does the simulator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/limits.hpp"

namespace muster::cluster {

/// Signs for this node and verifies signatures of others. Called on whichever thread steps the core, one call at a
/// time.
class Notary {
public:
    /// The size of a signature in bytes.
    static constexpr std::size_t kSignature = limits::kSignature;

    virtual ~Notary() = default;
    /// This node's signature of `bytes`.
    virtual std::string sign(std::string_view bytes) = 0;
    /// Whether the node of this name has signed `bytes`. False also if that node is no longer trusted.
    virtual bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) = 0;
    /// Increases when keys of nodes are no longer trusted, so that earlier signatures may be worth nothing.
    [[nodiscard]] virtual std::uint64_t removals() const = 0;
    /// Whether a worker has a key of this name.
    [[nodiscard]] virtual bool is_key_of_worker(const std::string& name) const = 0;
};

}  // namespace muster::cluster
