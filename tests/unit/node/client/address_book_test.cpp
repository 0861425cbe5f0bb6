#include "node/client/address_book.hpp"

#include <gmock/gmock.h>

namespace muster::client {
namespace {

using testing::ElementsAre;

std::vector<std::string> round(AddressBook& book) {
    std::vector<std::string> list;
    while (auto address = book.next()) list.push_back(*address);
    return list;
}

TEST(AddressBook, ARoundHasTheListedAddressesThenTheLearnedOnes) {
    AddressBook book({"b:1", "a:1"});
    EXPECT_THAT(round(book), ElementsAre("b:1", "a:1"));
    book.learn({"c:1", "a:1", "bad"});
    book.begin_round();
    EXPECT_THAT(round(book), ElementsAre("b:1", "a:1", "c:1"));
}

TEST(AddressBook, ANodesNameDoesNotMakeAnotherAddress) {
    AddressBook book({"n1@b:1", "a:1"});
    book.learn({"b:1", "n2@a:1", "n3@c:1"});
    book.begin_round();
    EXPECT_THAT(round(book), ElementsAre("n1@b:1", "a:1", "n3@c:1"));
    EXPECT_TRUE(is_valid_address("n1@[::1]:7100"));
    for (const char* wrong : {"@b:1", "n 1@b:1", "n1@", "n1@b", "n1@n2@b:1"})
        EXPECT_FALSE(is_valid_address(wrong)) << wrong;
}

TEST(AddressBook, ARoundCanPutOneFirstOrLast) {
    AddressBook book({"a:1", "b:1", "c:1"});
    book.begin_round("b:1");
    EXPECT_THAT(round(book), ElementsAre("b:1", "a:1", "c:1"));
    book.begin_round_without("a:1");
    EXPECT_THAT(round(book), ElementsAre("b:1", "c:1", "a:1"));
}

TEST(AddressBook, LearnsAtMost64Addresses) {
    AddressBook book({"a:1"});
    std::vector<std::string> many;
    for (int i = 1; i <= 1000; ++i) many.push_back("h:" + std::to_string(i));
    book.learn(many);
    book.begin_round();
    EXPECT_EQ(round(book).size(), 65u);
}

TEST(AddressBook, TellsValidFromInvalidAddresses) {
    for (const auto* good : {"127.0.0.1:7100", "host.example:1", "[::1]:65535", "h:080"})
        EXPECT_TRUE(is_valid_address(good)) << good;
    for (const auto* bad : {"", ":1", "host", "host:", "host:0", "host:65536", "host:1x", "::1:7100", "a b:1", "x/y:1"})
        EXPECT_FALSE(is_valid_address(bad)) << bad;
}

}  // namespace
}  // namespace muster::client
