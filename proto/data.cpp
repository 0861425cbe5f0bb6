// Notification data as JSON: for people and for the command line.
#include <muster/types.hpp>

#include <nlohmann/json.hpp>

#include "proto/codec.hpp"

namespace muster {

Result<Data> data_from_json(std::string_view json) {
    const auto value = nlohmann::json::parse(json, nullptr, false);
    if (value.is_discarded()) return Error{ErrorCode::bad_request, "data is not JSON: quote texts, as in '\"text\"'"};
    Data data;
    data.msgpack.clear();
    nlohmann::json::to_msgpack(value, data.msgpack);
    if (!proto::is_valid_data(data.msgpack))
        return Error{ErrorCode::bad_request, "data is larger than 512 KiB or nests deeper than 32"};
    return data;
}

}  // namespace muster
