// What proves that a node has said something: signatures, as the core sees them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proto/limits.hpp"

namespace muster::cluster {

/// Called on whatever thread steps the core, one at a time.
class Notary {
public:
    /// Bytes of a signature.
    static constexpr std::size_t kSignature = limits::kSignature;

    virtual ~Notary() = default;
    /// This node's signature of `bytes`.
    virtual std::string sign(std::string_view bytes) = 0;
    /// Whether the node of this name has signed `bytes`; false also when it is not trusted any more.
    virtual bool is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) = 0;
};

}  // namespace muster::cluster
