#include "proto/utf8.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
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

struct Control {
    std::uint32_t code_point = 0;
    std::size_t bytes = 0;  // 0: none
};

/// Whether terminals and editors obey it instead of showing it: control characters, the separators of lines and
/// paragraphs, and marks of the direction of writing, which show a text in another order than programs read it in.
bool is_control(std::uint32_t code_point) {
    const auto within = [code_point](std::uint32_t first, std::uint32_t last) {
        return code_point >= first && code_point <= last;
    };
    return code_point < 0x20 || within(0x7F, 0x9F) || code_point == 0x061C || within(0x200E, 0x200F) ||
           within(0x2028, 0x202E) || within(0x2066, 0x2069);
}

/// The control with which a text begins that may be ill-formed. All of them have at most three bytes.
Control control_at_front(std::string_view text) {
    const auto byte = [text](std::size_t at) -> std::uint32_t {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    const auto tail = [byte](std::size_t at) { return byte(at) & 0x3Fu; };
    Control found{byte(0), 1};
    if (byte(0) >= 0xC0 && byte(0) < 0xE0) found = {(byte(0) & 0x1Fu) << 6 | tail(1), 2};
    if (byte(0) >= 0xE0 && byte(0) < 0xF0) found = {(byte(0) & 0x0Fu) << 12 | tail(1) << 6 | tail(2), 3};
    const bool is_whole = byte(0) < 0x80 || (found.bytes > 1 && is_utf8(text.substr(0, found.bytes)));
    return is_whole && is_control(found.code_point) ? found : Control{};
}

template <class InsteadOf>
std::string without_controls(std::string_view text, const InsteadOf& instead_of) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const auto control = control_at_front(text);
        if (control.bytes == 0) {
            shown += text.front();
        } else {
            shown += instead_of(control.code_point);
        }
        text.remove_prefix(control.bytes == 0 ? 1 : control.bytes);
    }
    return shown;
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
    return without_controls(text, [](std::uint32_t) { return "?"; });
}

std::string printable_json(std::string_view json) {
    return without_controls(json, [](std::uint32_t code_point) {
        std::array<char, sizeof "\\u1234"> escaped{};
        std::snprintf(escaped.data(), escaped.size(), "\\u%04x", code_point);
        return std::string(escaped.data());
    });
}

}  // namespace muster
