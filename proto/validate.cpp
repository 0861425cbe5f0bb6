#include "proto/validate.hpp"

#include <algorithm>
#include <string_view>

#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

namespace muster::proto {
namespace {

std::string why_invalid_name(const char* part, std::string_view name) {
    const auto why = why_invalid_part(name);
    if (why.empty()) return {};
    return "the " + std::string(part) + " name " + std::string(why) + ": use 1 to 255 bytes of UTF-8";
}

}  // namespace

std::string why_invalid(const Group& group) {
    auto why = why_invalid_name("store", group.store);
    return why.empty() ? why_invalid_name("feature", group.feature) : why;
}

std::string why_invalid(const Data& data) {
    if (is_valid_data(data.msgpack)) return {};
    return "the data must be one msgpack value of at most 512 KiB, nested at most 32 deep";
}

std::string why_invalid(const Meta& meta) {
    const auto fits = [](const std::string& text) { return text.size() <= limits::kMetaBytes && is_utf8(text); };
    if (meta.size() > limits::kMetaEntries)
        return "the metadata has " + std::to_string(meta.size()) + " pairs: use at most 16";
    if (!std::all_of(meta.begin(), meta.end(), [&](const auto& pair) { return fits(pair.first) && fits(pair.second); }))
        return "a key or value of the metadata is not valid: use UTF-8 of at most 255 bytes";
    return {};
}

std::string why_invalid(NotificationKind kind) {
    if (kind >= NotificationKind::created && kind <= NotificationKind::deleted) return {};
    return "the kind is " + std::to_string(static_cast<unsigned>(kind)) + ": use created, updated or deleted";
}

std::string why_invalid_count(std::uint64_t count) {
    if (count >= 1 && count <= limits::kMembersPerCall) return {};
    return "the count is " + std::to_string(count) + ": a call takes 1 to 65536 members";
}

}  // namespace muster::proto
