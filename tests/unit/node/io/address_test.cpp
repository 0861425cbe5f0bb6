#include "node/io/address.hpp"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

TEST(Address, ParsedAddressesAreWrittenTheSame) {
    for (const char* text : {"127.0.0.1:7100", "[::1]:7100", "node-a.example:1", "*:65535", "localhost:0"}) {
        const auto address = parse_address(text);
        ASSERT_TRUE(address.ok()) << address.error().text;
        EXPECT_EQ(to_string(*address), text);
    }
    EXPECT_EQ(parse_address("[::1]:7100")->host, "::1");
}

TEST(Address, ErrorsSayWhatIsWrong) {
    const auto why = [](const std::string& text) {
        const auto address = parse_address(text);
        return address.ok() ? "ok" : address.error().text;
    };
    EXPECT_NE(why("localhost").find("give a port"), std::string::npos);
    EXPECT_NE(why(":7100").find("give a host"), std::string::npos);
    EXPECT_NE(why("a:").find("0 to 65535"), std::string::npos);
    EXPECT_NE(why("a:65536").find("0 to 65535"), std::string::npos);
    EXPECT_NE(why("a:-1").find("0 to 65535"), std::string::npos);
    EXPECT_NE(why("a:7x").find("0 to 65535"), std::string::npos);
    EXPECT_NE(why("::1:7100").find("in brackets"), std::string::npos);
    EXPECT_NE(why("a b:7100").find("character"), std::string::npos);
    EXPECT_NE(why("tcp://a:7100"), "ok");
    EXPECT_NE(why("a\n:7100"), "ok");
    EXPECT_NE(why("[fe80::1]:7100").find("[fe80::1%eth0]"), std::string::npos);
    EXPECT_EQ(why("[fe80::1%eth0]:7100"), "ok");
    for (const char* odd : {"%:7100", "a%b:7100", "[%eth0]:7100", "[::g%eth0]:7100"})
        EXPECT_NE(why(odd).find("% stands"), std::string::npos) << odd;
    EXPECT_NE(why(std::string(300, 'a') + ":1").find("longer"), std::string::npos);
}

TEST(Address, TellsNumbersFromNames) {
    EXPECT_TRUE(is_numeric("127.0.0.1"));
    EXPECT_TRUE(is_numeric("fe80::1"));
    EXPECT_FALSE(is_numeric("localhost"));
    EXPECT_FALSE(is_numeric("127.0.0"));
    EXPECT_TRUE(is_any("0.0.0.0"));
    EXPECT_FALSE(is_any("127.0.0.1"));
}

TEST(Address, IsTheSameInEveryWayOfWritingIt) {
    for (const char* any : {"0.0.0.0", "0", "0x0", "0.0", "::", "::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0", "*"})
        EXPECT_TRUE(is_any(any)) << any;
    for (const char* loopback : {"127.0.0.1", "127.1", "0x7f000001", "127.255.0.9", "::1", "0::1", "::ffff:127.0.0.1"})
        EXPECT_TRUE(is_loopback(loopback)) << loopback;
    for (const char* other :
         {"10.0.0.1", "1", "::2", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1%nolink", "localhost", ""}) {
        EXPECT_FALSE(is_any(other)) << other;
        EXPECT_FALSE(is_loopback(other)) << other;
    }
}

TEST(Address, ResolvesNumbersToThemselvesAndUnknownNamesToNothing) {
    EXPECT_EQ(resolve("127.0.0.1"), std::vector<std::string>{"127.0.0.1"});
    EXPECT_TRUE(resolve("no such host").empty());
}

TEST(Address, IsTakenAsPeopleWriteIt) {
    for (const auto* typed : {"h:1", " h:1", "h:1\n", "tcp://h:1", "\ttcp://h:1 "})
        EXPECT_EQ(plain_address(typed), "h:1");
    for (const auto* typed : {"n@h:1", "n@tcp://h:1", "tcp://n@h:1", " n@h:1 "})
        EXPECT_EQ(plain_address(typed), "n@h:1");
    EXPECT_EQ(plain_address(" "), "");
    EXPECT_EQ(split_addresses(" a:1 ,tcp://b:2,, n@tcp://[::1]:3, "),
              (std::vector<std::string>{"a:1", "b:2", "n@[::1]:3"}));
    EXPECT_TRUE(split_addresses(" , ").empty());
}

}  // namespace
}  // namespace muster::node
