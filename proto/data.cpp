// Notification data as JSON: for people and for the command line.
#include <muster/types.hpp>

#include <nlohmann/json.hpp>

#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace muster {

Result<Data> data_from_json(std::string_view json) {
    // Writing recurses, so nesting is bounded while reading.
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
