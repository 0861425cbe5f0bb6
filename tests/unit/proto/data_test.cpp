#include <muster/types.hpp>

#include <gtest/gtest.h>

#include "proto/codec.hpp"

namespace muster {
namespace {

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(DataFromJson, ComesBackAsTheSameJson) {
    for (const std::string json :
         {"null", "true", "0", "-1", "18446744073709551615", "-9223372036854775808", "1.5", "\"text\"", "\"\"", "[]",
          "{}", R"({"id":7,"list":[1,[2,{"a":null}]],"name":"x"})", "\"\xc3\xa9 \xf0\x9f\x90\x9f\""}) {
        const auto data = data_from_json(json);
        ASSERT_TRUE(data) << json;
        EXPECT_TRUE(proto::is_valid_data(data->msgpack));
        EXPECT_EQ(to_json(*data), json);
    }
}

TEST(DataFromJson, IsMsgpack) {
    EXPECT_EQ(data_from_json(R"({"id":7})")->msgpack, "\x81\xa2id\x07");
    EXPECT_EQ(data_from_json("null")->msgpack, "\xc0");
    EXPECT_EQ(Data{}.msgpack, "\xc0") << "nil unless told";
}

TEST(DataFromJson, RefusesWhatIsNotJson) {
    for (const char* text : {"", " ", "text", "{", "[1,]", "{\"a\"}", "'a'", "1 2", "nul", "\"\xff\"", "{\"a\":1}}"}) {
        const auto data = data_from_json(text);
        ASSERT_FALSE(data) << text;
        EXPECT_EQ(data.error().code, ErrorCode::bad_request);
        EXPECT_NE(data.error().text.find("not JSON"), std::string::npos);
    }
}

TEST(DataFromJson, SaysWhatIsWrongWithWhatAParserWouldChange) {
    const std::vector<std::pair<const char*, const char*>> refused = {
        {"18446744073709551616", "the integer 18446744073709551616, which does not fit in 64 bits"},
        {"-9223372036854775809", "does not fit in 64 bits"},
        {"[1, {\"a\": 100000000000000000000000000000000000000000000000000}]", "does not fit in 64 bits"},
        {R"({"a":1,"a":2})", "the key \"a\" twice"},
        {R"([{"b":{"a":1,"b":{"a":1},"a":[]}}])", "the key \"a\" twice"},
        {R"({"a":1,"\u0061":2})", "the key \"a\" twice"},
        {R"("\ud800")", "half of a surrogate pair"},
        {R"({"\udc00x":1})", "half of a surrogate pair"},
        {R"("\ud800\u0041")", "half of a surrogate pair"},
        {"1e999", "too large for a float"},
        {"\"\xff\"", "ill-formed UTF-8"},
        {"\"a\nb\"", "control character"},
        {"text", "quote texts"},
    };
    for (const auto& [text, why] : refused) {
        const auto data = data_from_json(text);
        ASSERT_FALSE(data) << text;
        EXPECT_EQ(data.error().code, ErrorCode::bad_request);
        EXPECT_NE(data.error().text.find(why), std::string::npos) << data.error().text;
        EXPECT_EQ(data.error().text.find('\n'), std::string::npos);
        const bool is_hinted = data.error().text.find("quote texts") != std::string::npos;
        EXPECT_EQ(is_hinted, std::string_view(text) == "text") << data.error().text;
    }
    for (const char* good : {R"([{"a":1},{"a":2}])", R"({"a":{"a":{"a":1}}})", "1e300", "100000000000000000000.0"})
        EXPECT_TRUE(data_from_json(good)) << good;
}

TEST(DataFromJson, ANulByteIsNotTheEnd) {
    using std::literals::operator""s;
    for (const auto& text : {"1\0"s, "\0"s, "1\0 {\"lost\":true}"s, "\"a\0b\""s, "{\0}"s}) {
        const auto data = data_from_json(text);
        ASSERT_FALSE(data) << text;
        EXPECT_EQ(data.error().code, ErrorCode::bad_request);
        EXPECT_NE(data.error().text.find("NUL byte"), std::string::npos) << data.error().text;
    }
    EXPECT_TRUE(data_from_json(R"("a\u0000b")"));
}

TEST(DataFromJson, RefusesWhatIsTooLargeOrTooDeep) {
    EXPECT_TRUE(data_from_json(nested(32)));
    EXPECT_TRUE(data_from_json('"' + std::string(500 * 1024, 'x') + '"'));
    for (const std::string& text :
         {nested(33), nested(500000), std::string(500000, '['), '"' + std::string(512 * 1024, 'x') + '"'}) {
        const auto data = data_from_json(text);
        ASSERT_FALSE(data) << text.size();
        EXPECT_EQ(data.error().code, ErrorCode::bad_request);
    }
    EXPECT_NE(data_from_json(nested(500000)).error().text.find("deeper than 32"), std::string::npos);
}

TEST(DataToJson, ShowsWhatJsonCannotSay) {
    const auto json = [](std::string_view bytes) { return to_json(Data{std::string(bytes)}); };
    EXPECT_EQ(json(std::string_view("\xc4\x00", 2)), "\"\"");
    EXPECT_EQ(json("\xc4\x01M"), "\"TQ==\"") << "bytes become base64 (vectors of RFC 4648)";
    EXPECT_EQ(json("\xc4\x05"
                   "fooba"),
              "\"Zm9vYmE=\"");
    EXPECT_EQ(json("\xc4\x06"
                   "foobar"),
              "\"Zm9vYmFy\"");
    EXPECT_EQ(json("\xc4\x02\xfb\xff"), "\"+/8=\"");
    EXPECT_EQ(json("\xd4\x05M"), R"({"data":"TQ==","ext":5})");
    EXPECT_EQ(json("\x82\x01\xa1x\xc3\x02"), R"({"1":"x","true":2})") << "keys become their JSON";
    EXPECT_EQ(json("\x81\x92\x01\xa1k\xc0"), R"({"[1,\"k\"]":null})");
    EXPECT_EQ(json(std::string_view("\xcb\x7f\xf8\0\0\0\0\0\0", 9)), "null") << "no number";
    EXPECT_EQ(json(std::string_view("\xca\x3f\xc0\0\0", 5)), "1.5") << "single precision";
    EXPECT_EQ(json("\xa2\xff!"), "\"\xef\xbf\xbd!\"") << "what is not UTF-8 is replaced";
    EXPECT_EQ(json("\x81\x91\xa1\xff\x01"), "{\"[\\\"\xef\xbf\xbd\\\"]\":1}") << "in a key as well";
    EXPECT_EQ(json("\xff"), "-1");
}

TEST(DataToJson, KeysInKeysDoNotDoubleWithEachLevel) {
    const auto json = [](std::string_view bytes) { return to_json(Data{std::string(bytes)}); };
    EXPECT_EQ(json("\x81\x81\xa1k\x01\x02"), R"({"[[\"k\",1]]":2})");
    const std::string deep = std::string(32, '\x81') + "\xa1k" + std::string(32, '\xc3');
    ASSERT_TRUE(proto::is_valid_data(deep));
    EXPECT_LT(json(deep).size(), 512u);
}

TEST(DataToJson, OfBrokenDataIsNull) {
    for (const char* bytes : {"", "\xc1", "\x91", "\xc0\xc0", "\xdd\xff\xff\xff\xff"})
        EXPECT_EQ(to_json(Data{bytes}), "null");
}

}  // namespace
}  // namespace muster
