#include "node/admission/key_notary.hpp"

namespace muster::node {

std::string KeyNotary::sign(std::string_view bytes) {
    return keys_->sign(bytes);
}

bool KeyNotary::is_signed_by(const std::string& node, std::string_view bytes, std::string_view signature) {
    return keys_->is_signed_by(node, bytes, signature);
}

std::uint64_t KeyNotary::removals() const {
    return keys_->removals();
}

bool KeyNotary::is_key_of_worker(const std::string& name) const {
    return keys_->is_worker(name);
}

}  // namespace muster::node
