// Data between JSON and msgpack, as the command line takes and prints it. A text as JSON, as `notify` does; or,
// behind a first byte of 0xff, which begins no JSON, data of a stranger, as `join` prints it.
#include <nlohmann/json.hpp>

#include "cluster/check.hpp"
#include "proto/codec.hpp"
#include "proto/utf8.hpp"
#include "tests/fuzz/input.hpp"

namespace muster::fuzz {
namespace {

/// One line of JSON, whatever the data is.
std::string printed(const Data& data) {
    const std::string text = to_json(data);
    MUSTER_CHECK(is_utf8(text));
    MUSTER_CHECK(text.find('\n') == std::string::npos);
    const auto parsed = nlohmann::ordered_json::parse(text, nullptr, false);
    MUSTER_CHECK(!parsed.is_discarded());
    (void)parsed.dump();
    return text;
}

void run_text(std::string_view text) {
    const auto data = data_from_json(text);
    if (!data) {
        MUSTER_CHECK(data.error().code == ErrorCode::bad_request && !data.error().text.empty());
        return;
    }
    MUSTER_CHECK(proto::is_valid_data(data->msgpack));
    const std::string shown = printed(*data);
    // Of equal keys, ordered_json keeps the first value, and json the last: nothing may be lost either way.
    const auto first = nlohmann::json::parse(nlohmann::ordered_json::parse(text).dump());
    MUSTER_CHECK(first == nlohmann::json::parse(shown));
    const auto again = data_from_json(shown);
    MUSTER_CHECK(again.ok());
    MUSTER_CHECK(to_json(*again) == shown);
}

void run_bytes(std::string_view bytes) {
    const Data data{std::string(bytes)};
    const std::string shown = printed(data);
    if (!proto::is_valid_data(bytes)) MUSTER_CHECK(shown == "null");
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    muster::fuzz::Input input(data, size);
    if (size == 0 || data[0] != 0xff) return muster::fuzz::run_text(input.rest()), 0;
    (void)input.byte();
    muster::fuzz::run_bytes(input.rest());
    return 0;
}
