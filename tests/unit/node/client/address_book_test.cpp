#include "node/client/address_book.hpp"

#include <gmock/gmock.h>

#include <map>

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::vector<std::string> round(AddressBook& book) {
    std::vector<std::string> list;
    while (auto address = book.next()) list.push_back(*address);
    return list;
}

TEST(AddressBook, ARoundHasTheListedAddressesThenTheLearnedOnes) {
    AddressBook book({"b:1", "a:1"}, true, 1);
    EXPECT_THAT(round(book), ElementsAre("b:1", "a:1"));
    book.learn({"c:1", "a:1", "bad"});
    book.begin_round();
    EXPECT_THAT(round(book), ElementsAre("b:1", "a:1", "c:1"));
}

TEST(AddressBook, ANodesNameDoesNotMakeAnotherAddress) {
    AddressBook book({"n1@b:1", "a:1"}, true, 1);
    book.learn({"b:1", "n2@a:1", "n3@c:1"});
    book.begin_round();
    EXPECT_THAT(round(book), ElementsAre("n1@b:1", "a:1", "n3@c:1"));
    EXPECT_TRUE(is_valid_address("n1@[::1]:7100"));
    for (const char* wrong : {"@b:1", "n 1@b:1", "n1@", "n1@b", "n1@n2@b:1"})
        EXPECT_FALSE(is_valid_address(wrong)) << wrong;
}

TEST(AddressBook, ARoundCanPutOneFirstOrLast) {
    AddressBook book({"a:1", "b:1", "c:1"}, true, 1);
    book.begin_round("b:1");
    EXPECT_THAT(round(book), ElementsAre("b:1", "a:1", "c:1"));
    book.begin_round_without("a:1");
    EXPECT_THAT(round(book), ElementsAre("b:1", "c:1", "a:1"));
}

TEST(AddressBook, WithoutAnOrderEachRoundShufflesTheListAndWhatWasLearned) {
    std::map<std::string, int> first;
    std::map<std::string, int> after_a;  // the node that a worker which lost a:1 goes to
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        AddressBook book({"a:1", "b:1", "c:1"}, false, seed);
        book.learn({"d:1", "e:1"});
        book.begin_round();
        const auto tried = round(book);
        EXPECT_THAT(std::vector(tried.begin(), tried.begin() + 3), UnorderedElementsAre("a:1", "b:1", "c:1"));
        EXPECT_THAT(std::vector(tried.begin() + 3, tried.end()), UnorderedElementsAre("d:1", "e:1"));
        ++first[tried.front()];
        book.begin_round_without("a:1");
        const auto next = round(book);
        EXPECT_EQ(next.back(), "a:1");
        ++after_a[next.front()];
        book.begin_round("b:1");
        EXPECT_EQ(round(book).front(), "b:1");
    }
    for (const auto* address : {"a:1", "b:1", "c:1"}) EXPECT_GT(first[address], 60) << address;
    for (const auto* address : {"b:1", "c:1"}) EXPECT_GT(after_a[address], 100) << address;
}

TEST(AddressBook, LearnsAtMost64Addresses) {
    AddressBook book({"a:1"}, true, 1);
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
