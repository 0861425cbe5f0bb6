#include <muster/ids.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace muster {
namespace {

constexpr std::size_t kMaxName = 64;

bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::string to_string(const MemberId& id) {
    return id.node.name + '/' + std::to_string(id.node.incarnation.value) + '/' + std::to_string(id.number.value);
}

std::optional<MemberId> parse_member_id(std::string_view text) {
    const auto first = text.find('/');
    const auto second = text.find('/', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto name = text.substr(0, first);
    const auto incarnation = parse_number(text.substr(first + 1, second - first - 1));
    const auto number = parse_number(text.substr(second + 1));
    if (!is_valid_name(name) || !incarnation || !number) return std::nullopt;
    return MemberId{{std::string(name), Incarnation{*incarnation}}, MemberNumber{*number}};
}

bool is_valid_name(std::string_view name) {
    if (name.empty() || name.size() > kMaxName || !is_alnum(name.front())) return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace muster
