#include "tests/unit/proto/support.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <vector>

namespace muster::proto::test {
namespace {

int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    throw std::invalid_argument("not a hexadecimal digit");
}

}  // namespace

std::string from_hex(std::string_view text) {
    std::string digits;
    for (const char c : text)
        if (c != ' ' && c != '\n') digits += c;
    if (digits.size() % 2 != 0) throw std::invalid_argument("half a byte");
    std::string bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2)
        bytes += static_cast<char>(nibble(digits[i]) << 4 | nibble(digits[i + 1]));
    return bytes;
}

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

std::string read_source(const std::string& path) {
    std::ifstream file(std::string(MUSTER_SOURCE_DIR) + '/' + path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json tree_of(std::string_view frame) {
    return nlohmann::json::from_msgpack(frame.begin(), frame.end());
}

std::string frame_of(const nlohmann::json& tree) {
    const auto bytes = nlohmann::json::to_msgpack(tree);
    return {bytes.begin(), bytes.end()};
}

std::string verdict(std::string_view frame) {
    const auto decoded = decode(frame);
    return decoded ? "ok" : std::string(to_string(decoded.error()));
}

std::uint64_t test_seed() {
    const char* given = std::getenv("MUSTER_TEST_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "MUSTER_TEST_SEED=" << seed << '\n';
    return seed;
}

}  // namespace muster::proto::test
