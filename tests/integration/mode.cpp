#include "tests/integration/mode.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>

namespace muster::test {

Keys* mode_keys() {
    static const auto keys =
        std::getenv("MUSTER_TEST_KEYS") != nullptr ? std::make_unique<Keys>(0) : std::unique_ptr<Keys>();
    return keys.get();
}

std::vector<std::string> key_flags(const std::string& node) {
    const Keys* keys = mode_keys();
    if (keys == nullptr) return {};
    if (!std::filesystem::exists(keys->pub("node", node))) keys->trust("node", node);
    return keys->flags(node);
}

}  // namespace muster::test
