// Notification data as JSON, for people and the command line. A library of its own (muster_json), so that workers
// without it do not need nlohmann-json to build.
#include <muster/types.hpp>

#include <msgpack.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

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

namespace {

/// Finds what the parser would accept and change: integers beyond 64 bits become floats, and of equal keys the last
/// wins. It also bounds the nesting, because to_msgpack() recurses.
class Checker : public nlohmann::json_sax<nlohmann::json> {
public:
    [[nodiscard]] const std::string& problem() const { return problem_; }

    bool null() override { return true; }
    bool boolean(bool /*value*/) override { return true; }
    bool number_integer(number_integer_t /*value*/) override { return true; }
    bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
    bool number_float(number_float_t /*value*/, const string_t& text) override {
        if (text.find_first_of(".eE") != std::string::npos) return true;
        return wrong("data has the integer " + excerpt(text) + ", which does not fit in 64 bits: send it as a text");
    }
    bool string(string_t& /*value*/) override { return true; }
    bool binary(binary_t& /*value*/) override { return true; }
    bool start_object(std::size_t /*elements*/) override { return start(); }
    bool start_array(std::size_t /*elements*/) override { return start(); }
    bool end_object() override { return end(); }
    bool end_array() override { return end(); }
    bool key(string_t& value) override {
        if (keys_.back().insert(value).second) return true;
        return wrong("data has the key \"" + excerpt(value) + "\" twice in one object: give each key once");
    }
    bool parse_error(std::size_t position, const std::string& /*token*/,
                     const nlohmann::json::exception& error) override {
        const std::string what = error.what();
        const auto at = what.find("invalid string: ");
        if (what.find("surrogate") != std::string::npos)
            return wrong("data has half of a surrogate pair at byte " + std::to_string(position) +
                         ", which is not a character: write both halves, as in \"\\ud83d\\ude00\"");
        if (what.find("out_of_range") != std::string::npos)
            return wrong("data has a number at byte " + std::to_string(position) + " that is too large for a float");
        const auto reason = at == std::string::npos ? "" : ": " + what.substr(at, what.find(';', at) - at);
        return wrong("data is not JSON at byte " + std::to_string(position) + reason +
                     (reason.empty() ? ": quote texts, as in '\"text\"'" : ""));
    }

private:
    bool wrong(const std::string& problem) {
        problem_ = printable(problem);
        return false;
    }
    static std::string excerpt(const std::string& text) {
        return text.size() <= 40 ? text : text.substr(0, 40) + "...";
    }
    bool start() {
        if (keys_.size() == limits::kDataDepth) return wrong("data nests deeper than 32");
        keys_.emplace_back();
        return true;
    }
    bool end() {
        keys_.pop_back();
        return true;
    }

    std::string problem_;
    std::vector<std::set<std::string>> keys_;  // of each open object; empty for an array
};

}  // namespace

Result<Data> data_from_json(std::string_view json) {
    // The parser takes it for the end, and ignores what follows.
    if (const auto at = json.find('\0'); at != std::string_view::npos)
        return Error{ErrorCode::bad_request,
                     "data has a NUL byte at byte " + std::to_string(at + 1) + ": write \\u0000 in a text"};
    Checker checker;
    if (!nlohmann::json::sax_parse(json, &checker)) return Error{ErrorCode::bad_request, checker.problem()};
    const auto value = nlohmann::json::parse(json);
    Data data;
    data.msgpack.clear();
    nlohmann::json::to_msgpack(value, data.msgpack);
    if (!proto::is_valid_data(data.msgpack)) return Error{ErrorCode::bad_request, "data is larger than 512 KiB"};
    return data;
}

}  // namespace muster
