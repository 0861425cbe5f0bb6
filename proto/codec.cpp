#include "proto/codec.hpp"

#include <msgpack.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "proto/codec_fields.hpp"
#include "proto/utf8.hpp"

namespace muster::proto {
namespace {

constexpr std::size_t kHeaderFields = 6;

// ---- encoding --------------------------------------------------------------

struct StringSink {
    std::string& out;
    void write(const char* bytes, std::size_t size) { out.append(bytes, size); }
};

class Encoder {
public:
    explicit Encoder(std::string& out) : sink_{out}, packer_(sink_) {}

    template <class... Fields>
    bool operator()(Fields&&... parts) {
        packer_.pack_array(static_cast<std::uint32_t>(sizeof...(parts)));
        (put(parts), ...);
        return true;
    }

    template <class... Parts>
    void message(std::uint64_t type, const Header& header, Parts&&... parts) {
        packer_.pack_array(static_cast<std::uint32_t>(kHeaderFields + sizeof...(parts) + 1));
        packer_.pack_uint64(kMajor);
        packer_.pack_uint64(type);
        string(header.scope);
        string(header.origin);
        packer_.pack_uint64(header.incarnation);
        packer_.pack_uint64(header.seq);
        (put(parts), ...);
        packer_.pack_map(0);
    }

private:
    void string(std::string_view text) {
        packer_.pack_str(static_cast<std::uint32_t>(text.size()));
        packer_.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
    }
    void bytes(std::string_view text) {
        packer_.pack_bin(static_cast<std::uint32_t>(text.size()));
        packer_.pack_bin_body(text.data(), static_cast<std::uint32_t>(text.size()));
    }

    void put(std::uint64_t value) { packer_.pack_uint64(value); }
    void put(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
    template <class Tag>
    void put(const Counter<Tag>& value) {
        packer_.pack_uint64(value.value);
    }
    void put(const NodeName& value) { string(value.text); }
    void put(const WorkerName& value) { string(value.text); }
    void put(const Address& value) { string(value.text); }
    void put(const Text& value) { string(utf8_prefix(value.text, limits::kText)); }
    void put(const Bytes& value) { bytes(value.text); }
    void put(const Data& value) { bytes(value.msgpack); }
    template <class E>
    void put(const OneOf<E>& value) {
        packer_.pack_uint64(static_cast<std::uint64_t>(value.value));
    }
    void put(const Group& group) {
        packer_.pack_array(2);
        string(group.store);
        string(group.feature);
    }
    void put(const GroupOrAll& value) { put(value.group); }
    void put(const std::string& address) { string(address); }
    void put(const Meta& meta) {
        packer_.pack_map(static_cast<std::uint32_t>(meta.size()));
        for (const auto& [key, value] : meta) string(key), string(value);
    }
    void put(const std::map<std::string, std::uint64_t>& counters) {
        packer_.pack_map(static_cast<std::uint32_t>(counters.size()));
        for (const auto& [key, value] : counters) string(key), put(value);
    }
    void put(const SharedNotice& notice) { put(*notice); }
    void put(const LinkItem& item) {
        packer_.pack_array(2);
        packer_.pack_uint64(item.index() + 1);
        std::visit([this](const auto& part) { put(part); }, item);
    }
    template <class T>
    void put(const std::vector<T>& list) {
        packer_.pack_array(static_cast<std::uint32_t>(list.size()));
        for (const auto& element : list) put(element);
    }
    // fields() fills when decoding, so it takes its record as not const.
    template <class Record>
    auto put(const Record& record) -> decltype(fields(*this, const_cast<Record&>(record)), void()) {
        fields(*this, const_cast<Record&>(record));
    }

    StringSink sink_;
    msgpack::packer<StringSink> packer_;
};

class MessageEncoder {
public:
    MessageEncoder(Encoder& encoder, std::uint64_t type, const Header& header)
        : encoder_(encoder), type_(type), header_(header) {}
    template <class... Fields>
    bool operator()(Fields&&... parts) {
        encoder_.message(type_, header_, parts...);
        return true;
    }

private:
    Encoder& encoder_;
    std::uint64_t type_;
    const Header& header_;
};

// ---- decoding --------------------------------------------------------------

/// Walks a frame without keeping anything: structure, depth and counts are
/// known to be sound before the first byte of memory is taken.
class Checker : public msgpack::null_visitor {
public:
    Checker(std::size_t max_depth, std::size_t max_items) : max_depth_(max_depth), max_items_(max_items) {}
    bool start_array(std::uint32_t count) { return enter(count); }
    bool end_array() { return leave(); }
    bool start_map(std::uint32_t count) { return enter(count); }
    bool end_map() { return leave(); }
    void parse_error(std::size_t, std::size_t) { sound_ = false; }
    void insufficient_bytes(std::size_t, std::size_t) { sound_ = false; }
    [[nodiscard]] bool sound() const { return sound_; }

private:
    bool enter(std::uint32_t count) {
        sound_ = sound_ && count <= max_items_ && ++depth_ <= max_depth_;
        return sound_;
    }
    bool leave() {
        --depth_;
        return true;
    }

    std::size_t max_depth_;
    std::size_t max_items_;
    std::size_t depth_ = 0;
    bool sound_ = true;
};

/// The number of bytes of the first value, or 0 when there is no sound one.
std::size_t sound_prefix(std::string_view bytes, std::size_t max_depth, std::size_t max_items) {
    Checker checker(max_depth, max_items);
    std::size_t end = 0;
    const bool whole = msgpack::parse(bytes.data(), bytes.size(), end, checker);
    return whole && checker.sound() ? end : 0;
}

class Decoder {
public:
    Decoder(const msgpack::object* fields, std::size_t count) : next_(fields), left_(count) {}

    /// Fills `parts` from the first elements; elements beyond are of a newer minor.
    template <class... Fields>
    bool operator()(Fields&&... parts) {
        if (left_ < sizeof...(parts)) return false;
        return (get(*next_++, parts) && ...);
    }

private:
    using Object = msgpack::object;

    static bool string(const Object& from, std::string& to, std::size_t limit) {
        if (from.type != msgpack::type::STR || from.via.str.size > limit) return false;
        const std::string_view text(from.via.str.size == 0 ? "" : from.via.str.ptr, from.via.str.size);
        if (!is_utf8(text)) return false;
        to.assign(text);
        return true;
    }
    static bool bytes(const Object& from, std::string& to, std::size_t limit) {
        if (from.type != msgpack::type::BIN || from.via.bin.size > limit) return false;
        to.assign(from.via.bin.size == 0 ? "" : from.via.bin.ptr, from.via.bin.size);
        return true;
    }

    static bool get(const Object& from, std::uint64_t& to) {
        if (from.type != msgpack::type::POSITIVE_INTEGER) return false;
        to = from.via.u64;
        return true;
    }
    static bool get(const Object& from, bool& to) {
        if (from.type != msgpack::type::BOOLEAN) return false;
        to = from.via.boolean;
        return true;
    }
    template <class Tag>
    static bool get(const Object& from, Counter<Tag>& to) {
        return get(from, to.value);
    }
    static bool get(const Object& from, const NodeName& to) {
        return string(from, to.text, limits::kName) && is_valid_name(to.text);
    }
    static bool get(const Object& from, const WorkerName& to) {
        return string(from, to.text, limits::kName) && (to.text.empty() || is_valid_name(to.text));
    }
    static bool get(const Object& from, const Address& to) { return string(from, to.text, limits::kAddress); }
    static bool get(const Object& from, std::string& to) { return string(from, to, limits::kAddress); }
    static bool get(const Object& from, const Text& to) { return string(from, to.text, limits::kText); }
    static bool get(const Object& from, const Bytes& to) { return bytes(from, to.text, to.limit); }
    static bool get(const Object& from, Data& to) {
        return bytes(from, to.msgpack, limits::kData) && is_valid_data(to.msgpack);
    }
    template <class E>
    static bool get(const Object& from, const OneOf<E>& to) {
        std::uint64_t value = 0;
        if (!get(from, value) || value < 1 || value > static_cast<std::uint64_t>(to.last)) return false;
        to.value = static_cast<E>(value);
        return true;
    }
    static bool get_names(const Object& from, Group& to) {
        return from.type == msgpack::type::ARRAY && from.via.array.size >= 2 &&
               string(from.via.array.ptr[0], to.store, limits::kGroupPart) &&
               string(from.via.array.ptr[1], to.feature, limits::kGroupPart);
    }
    static bool get(const Object& from, Group& to) {
        return get_names(from, to) && !to.store.empty() && !to.feature.empty();
    }
    static bool get(const Object& from, const GroupOrAll& to) {
        return get_names(from, to.group) && to.group.store.empty() == to.group.feature.empty();
    }
    static bool get(const Object& from, Meta& to) {
        return get_map(from, to, limits::kMetaEntries,
                       [](const Object& value, std::string& text) { return string(value, text, limits::kMetaBytes); });
    }
    static bool get(const Object& from, std::map<std::string, std::uint64_t>& to) {
        return get_map(from, to, limits::kItems,
                       [](const Object& value, std::uint64_t& number) { return get(value, number); });
    }
    template <class Map, class GetValue>
    static bool get_map(const Object& from, Map& to, std::size_t limit, GetValue get_value) {
        if (from.type != msgpack::type::MAP || from.via.map.size > limit) return false;
        for (std::uint32_t i = 0; i < from.via.map.size; ++i) {
            std::string key;
            if (!string(from.via.map.ptr[i].key, key, limits::kMetaBytes)) return false;
            const auto [place, fresh] = to.try_emplace(std::move(key));
            if (!fresh || !get_value(from.via.map.ptr[i].val, place->second)) return false;
        }
        return true;
    }
    static bool get(const Object& from, NumberRun& to) { return record(from, to) && sound_run(to.first, to.count); }
    static bool get(const Object& from, JoinRun& to) { return record(from, to) && sound_run(to.first, to.count); }
    static bool sound_run(MemberNumber first, std::uint64_t count) {
        return first && count >= 1 && count <= limits::kMembersPerCall && first.value <= UINT64_MAX - count;
    }
    static bool get(const Object& from, LinkItem& to) {
        if (from.type != msgpack::type::ARRAY || from.via.array.size < 2) return false;
        std::uint64_t kind = 0;
        if (!get(from.via.array.ptr[0], kind)) return false;
        if (kind == 1) {
            Notice notice;
            if (!get(from.via.array.ptr[1], notice)) return false;
            to = SharedNotice(std::move(notice));
            return true;
        }
        if (kind == 2) return get(from.via.array.ptr[1], to.emplace<NoticeReport>());
        return kind == 3 && get(from.via.array.ptr[1], to.emplace<NoticesLost>());
    }
    template <class T>
    static bool get(const Object& from, std::vector<T>& to) {
        if (from.type != msgpack::type::ARRAY || from.via.array.size > limits::kItems) return false;
        to.reserve(
            std::min<std::size_t>(from.via.array.size, 256));  // records are larger than the bytes that claim them
        for (std::uint32_t i = 0; i < from.via.array.size; ++i)
            if (!get(from.via.array.ptr[i], to.emplace_back())) return false;
        return true;
    }
    template <class Record>
    static bool record(const Object& from, Record& to) {
        if (from.type != msgpack::type::ARRAY) return false;
        Decoder inner(from.via.array.ptr, from.via.array.size);
        return fields(inner, to);
    }
    template <class Record>
    static auto get(const Object& from, Record& to) -> decltype(fields(std::declval<Decoder&>(), to), bool()) {
        return record(from, to);
    }

    const msgpack::object* next_;
    std::size_t left_;
};

template <std::size_t... I>
bool decode_body(std::uint64_t type, Decoder& decoder, Body& body, bool& known, std::index_sequence<I...>) {
    bool sound = false;
    const auto try_one = [&]<std::size_t N>() {
        using Alternative = std::variant_alternative_t<N, Body>;
        static_assert(kType<Alternative> != 0, "every message needs its number in codec_fields.hpp");
        if (type != kType<Alternative>) return false;
        known = true;
        sound = fields(decoder, body.emplace<N>());
        return true;
    };
    (void)(try_one.template operator()<I>() || ...);
    return sound;
}

Decoded decode_message(const msgpack::object& root) {
    if (root.type != msgpack::type::ARRAY || root.via.array.size == 0) return DecodeError::bad_field;
    const auto* parts = root.via.array.ptr;
    const std::size_t count = root.via.array.size;

    std::uint64_t major = 0;
    std::uint64_t type = 0;
    if (!Decoder(parts, 1)(major)) return DecodeError::bad_field;
    if (major != kMajor) return DecodeError::wrong_major;  // it may lay out all that follows as it likes
    if (count < kHeaderFields + 1) return DecodeError::bad_field;
    if (!Decoder(parts + 1, 1)(type)) return DecodeError::bad_field;

    Message message;
    Header& header = message.header;
    if (!Decoder(parts + 2, 4)(Text{header.scope}, NodeName{header.origin}, header.incarnation, header.seq) ||
        header.scope.size() > limits::kScope)
        return DecodeError::bad_field;
    if (parts[count - 1].type != msgpack::type::MAP) return DecodeError::bad_field;

    Decoder rest(parts + kHeaderFields, count - kHeaderFields - 1);
    bool known = false;
    const bool sound =
        decode_body(type, rest, message.body, known, std::make_index_sequence<std::variant_size_v<Body>>{});
    if (!known) return DecodeError::unknown_type;
    if (!sound) return DecodeError::bad_field;
    return message;
}

}  // namespace

std::string_view to_string(DecodeError error) {
    switch (error) {
        case DecodeError::too_large:
            return "too_large";
        case DecodeError::malformed:
            return "malformed";
        case DecodeError::trailing_bytes:
            return "trailing_bytes";
        case DecodeError::wrong_major:
            return "wrong_major";
        case DecodeError::unknown_type:
            return "unknown_type";
        case DecodeError::bad_field:
            return "bad_field";
    }
    return "unknown";
}

void encode(const Message& message, std::string& out) {
    Encoder encoder(out);
    std::visit(
        [&]<class B>(const B& body) {
            MessageEncoder whole(encoder, kType<B>, message.header);
            fields(whole, const_cast<B&>(body));
        },
        message.body);
}

std::string encode(const Message& message) {
    std::string out;
    encode(message, out);
    return out;
}

Decoded decode(std::string_view frame) {
    if (frame.size() > limits::kFrame) return DecodeError::too_large;
    const std::size_t end = sound_prefix(frame, limits::kDepth, limits::kItems);
    if (end == 0) return DecodeError::malformed;
    if (end != frame.size()) return DecodeError::trailing_bytes;

    msgpack::zone zone;
    std::size_t offset = 0;
    bool referenced = false;
    const auto by_reference = [](msgpack::type::object_type, std::size_t, void*) { return true; };
    try {
        const auto root = msgpack::unpack(zone, frame.data(), frame.size(), offset, referenced, by_reference);
        return decode_message(root);
    } catch (const msgpack::unpack_error&) {
        return DecodeError::malformed;
    }
}

bool is_valid_data(std::string_view bytes) {
    return !bytes.empty() && bytes.size() <= limits::kData &&
           sound_prefix(bytes, limits::kDataDepth, limits::kData) == bytes.size();
}

}  // namespace muster::proto

namespace muster {
namespace {

std::string base64(std::string_view bytes) {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i)
            group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
        for (std::size_t i = 0; i < 4; ++i) text += at + i > bytes.size() ? '=' : digits[group >> (18 - 6 * i) & 63];
    }
    return text;
}

nlohmann::json json_of(const msgpack::object& value) {
    using namespace msgpack::type;
    switch (value.type) {
        case BOOLEAN:
            return value.via.boolean;
        case POSITIVE_INTEGER:
            return value.via.u64;
        case NEGATIVE_INTEGER:
            return value.via.i64;
        case FLOAT32:
        case FLOAT64:
            return value.via.f64;
        case STR:
            return std::string(value.via.str.size ? value.via.str.ptr : "", value.via.str.size);
        case BIN:
            return base64({value.via.bin.size ? value.via.bin.ptr : "", value.via.bin.size});
        case EXT:
            return {{"ext", value.via.ext.type()},
                    {"data", base64({value.via.ext.size ? value.via.ext.data() : "", value.via.ext.size})}};
        case ARRAY: {
            auto list = nlohmann::json::array();
            for (std::uint32_t i = 0; i < value.via.array.size; ++i) list.push_back(json_of(value.via.array.ptr[i]));
            return list;
        }
        case MAP: {
            auto map = nlohmann::json::object();
            for (std::uint32_t i = 0; i < value.via.map.size; ++i) {
                const auto key = json_of(value.via.map.ptr[i].key);
                map[key.is_string() ? key.get<std::string>() : key.dump()] = json_of(value.via.map.ptr[i].val);
            }
            return map;
        }
        default:
            return nullptr;
    }
}

}  // namespace

std::string to_json(const Data& data) {
    if (!proto::is_valid_data(data.msgpack)) return "null";
    msgpack::zone zone;
    std::size_t offset = 0;
    const auto value = msgpack::unpack(zone, data.msgpack.data(), data.msgpack.size(), offset);
    return json_of(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace muster
