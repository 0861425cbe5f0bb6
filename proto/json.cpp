// Notification data as JSON, for people and the command line. A library of its own (muster_json), so that workers
// without it do not need nlohmann-json to build.
#include <muster/types.hpp>

#include <msgpack.hpp>
#include <nlohmann/json.hpp>

#include "proto/codec.hpp"
#include "proto/limits.hpp"

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

/// On one line. Bytes that are not UTF-8 are replaced, in keys too.
std::string text_of(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Text in a key is escaped once more, so nested maps as keys would double in size with each level: inside a key,
/// a map becomes a list of pairs.
nlohmann::json json_of(const msgpack::object& value, bool in_key = false) {
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
            for (std::uint32_t i = 0; i < value.via.array.size; ++i)
                list.push_back(json_of(value.via.array.ptr[i], in_key));
            return list;
        }
        case MAP: {
            auto map = in_key ? nlohmann::json::array() : nlohmann::json::object();
            for (std::uint32_t i = 0; i < value.via.map.size; ++i) {
                const auto key = json_of(value.via.map.ptr[i].key, true);
                if (in_key)
                    map.push_back(nlohmann::json::array({key, json_of(value.via.map.ptr[i].val, true)}));
                else
                    map[key.is_string() ? key.get<std::string>() : text_of(key)] = json_of(value.via.map.ptr[i].val);
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
    return text_of(json_of(value));
}

Result<Data> data_from_json(std::string_view json) {
    // to_msgpack() recurses, so the parser limits the nesting.
    bool too_deep = false;
    const auto within_depth = [&](int depth, nlohmann::json::parse_event_t event, const nlohmann::json&) {
        using Event = nlohmann::json::parse_event_t;
        const bool opens = event == Event::object_start || event == Event::array_start;
        too_deep = too_deep || (opens && depth >= static_cast<int>(limits::kDataDepth));
        return !too_deep;
    };
    const auto value = nlohmann::json::parse(json, within_depth, false);
    if (too_deep) return Error{ErrorCode::bad_request, "data nests deeper than 32"};
    if (value.is_discarded()) return Error{ErrorCode::bad_request, "data is not JSON: quote texts, as in '\"text\"'"};
    Data data;
    data.msgpack.clear();
    nlohmann::json::to_msgpack(value, data.msgpack);
    if (!proto::is_valid_data(data.msgpack)) return Error{ErrorCode::bad_request, "data is larger than 512 KiB"};
    return data;
}

}  // namespace muster
