#include "proto/bundle.hpp"

#include <msgpack.hpp>

#include <utility>

#include "proto/limits.hpp"
#include "proto/reader.hpp"

namespace muster::proto {
namespace {

constexpr std::uint64_t kBundle = 46;
constexpr std::size_t kFullAt = 128u << 10u;
constexpr std::uint32_t kFields = 9;  // the header's six, the notices, the parts and the options

/// Packs to the end of a string.
struct End {
    std::string& out;
    void write(const char* bytes, std::size_t size) { out.append(bytes, size); }
};

void put(msgpack::packer<End>& packer, std::string_view text) {
    packer.pack_str(static_cast<std::uint32_t>(text.size()));
    packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

/// Reads the first fields of a bundle. `count`: how many fields it has.
bool begins_bundle(Reader& reader, std::uint32_t& count) {
    std::uint64_t major = 0;
    std::uint64_t type = 0;
    return reader.array(count) && count >= kFields && reader.unsigned_integer(major) && major == kMajor &&
           reader.unsigned_integer(type) && type == kBundle;
}

bool skip_rest_of_header(Reader& reader) {
    std::string_view text;
    std::uint64_t number = 0;
    return reader.string(text) && reader.string(text) && reader.unsigned_integer(number) &&
           reader.unsigned_integer(number);
}

/// Fields of a newer minor, and the options.
bool skip_end(Reader& reader, std::uint32_t more) {
    for (; more != 0; --more)
        if (!reader.skip(limits::kDepth, limits::kItems)) return false;
    std::uint32_t options = 0;
    if (!reader.map(options) || options > limits::kItems) return false;
    for (std::uint32_t i = 0; i < 2 * options; ++i)
        if (!reader.skip(limits::kDepth, limits::kItems)) return false;
    return reader.at_end();
}

}  // namespace

void BundleEncoder::add(std::uint64_t line, const Message& message) {
    if (count_++ == 0) header_ = message.header;
    message_.clear();
    encode(message, message_, notices_);
    End end{parts_};
    msgpack::packer<End> packer(end);
    packer.pack_array(2);
    packer.pack_uint64(line);
    packer.pack_bin(static_cast<std::uint32_t>(message_.size()));
    packer.pack_bin_body(message_.data(), static_cast<std::uint32_t>(message_.size()));
}

bool BundleEncoder::is_full() const {
    return count_ == limits::kBundle || parts_.size() + notices_.bytes() >= kFullAt;
}

void BundleEncoder::finish(std::string& out) {
    End end{out};
    msgpack::packer<End> packer(end);
    packer.pack_array(kFields);
    packer.pack_uint64(kMajor);
    packer.pack_uint64(kBundle);
    put(packer, header_.scope);
    put(packer, header_.origin);
    packer.pack_uint64(header_.incarnation);
    packer.pack_uint64(0);
    notices_.encode(out);
    packer.pack_array(count_);
    out += parts_;
    packer.pack_map(0);
    count_ = 0;
    parts_.clear();
    notices_.clear();
}

bool is_bundle(std::string_view frame) {
    Reader reader(frame);
    std::uint32_t fields = 0;
    return begins_bundle(reader, fields);
}

Result<std::vector<BundlePart>, DecodeError> decode_bundle(std::string_view frame) {
    if (frame.size() > limits::kFrame) return DecodeError::too_large;
    Reader reader(frame);
    NoticeTable notices;
    std::uint32_t all_fields = 0;
    std::uint32_t count = 0;
    if (!begins_bundle(reader, all_fields) || !skip_rest_of_header(reader) || !notices.decode(reader) ||
        !reader.array(count) || count > limits::kBundle)
        return DecodeError::bad_field;
    std::vector<BundlePart> parts;
    parts.reserve(count);
    for (; count != 0; --count) {
        std::uint32_t fields = 0;
        std::uint64_t line = 0;
        std::string_view message;
        if (!reader.array(fields) || fields != 2 || !reader.unsigned_integer(line) || line >= limits::kLines ||
            !reader.binary(message))
            return DecodeError::bad_field;
        parts.push_back({line, message.size(), decode(message, notices)});
    }
    if (!skip_end(reader, all_fields - kFields)) return DecodeError::bad_field;
    return parts;
}

}  // namespace muster::proto
