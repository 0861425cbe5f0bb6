#include "proto/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace muster {
namespace {

struct Lead {
    std::size_t length;      // bytes in the sequence; 0: not a lead byte
    std::uint32_t bits;      // payload of the lead byte
    std::uint32_t smallest;  // first code point that needs this length
};

Lead classify(unsigned char byte) {
    if (byte < 0x80) return {1, byte, 0};
    if (byte >= 0xC2 && byte < 0xE0) return {2, byte & 0x1Fu, 0x80};
    if (byte >= 0xE0 && byte < 0xF0) return {3, byte & 0x0Fu, 0x800};
    if (byte >= 0xF0 && byte < 0xF5) return {4, byte & 0x07u, 0x10000};
    return {0, 0, 0};
}

/// A fast path: most text is plain ASCII.
bool is_eight_ascii(std::string_view text) {
    std::uint64_t eight = 0;
    if (text.size() < sizeof eight) return false;
    std::memcpy(&eight, text.data(), sizeof eight);
    return (eight & 0x8080808080808080u) == 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        if (is_eight_ascii(text.substr(at))) {
            at += 8;
            continue;
        }
        const auto lead = classify(static_cast<unsigned char>(text[at]));
        if (lead.length == 0 || text.size() - at < lead.length) return false;
        std::uint32_t code_point = lead.bits;
        for (std::size_t i = 1; i < lead.length; ++i) {
            const auto byte = static_cast<unsigned char>(text[at + i]);
            if ((byte & 0xC0u) != 0x80u) return false;
            code_point = (code_point << 6) | (byte & 0x3Fu);
        }
        const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        if (code_point < lead.smallest || code_point > 0x10FFFF || surrogate) return false;
        at += lead.length;
    }
    return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0u) == 0x80u) --limit;
    return text.substr(0, limit);
}

std::string printable(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const bool is_c0 = byte < 0x20 || byte == 0x7F;
        // U+0080 to U+009F: terminals treat some of them as the start of a control sequence.
        const bool is_c1 = byte == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
        shown += is_c0 || is_c1 ? '?' : text[at];
        if (is_c1) ++at;
    }
    return shown;
}

}  // namespace muster
