// That the ledger condemns what it must.
#include "tests/integration/ledger.hpp"

#include <gtest/gtest.h>

namespace muster::test {
namespace {

TEST(Ledger, IsContentWhenAllMatchedMembersGotEachOnceAndInOrder) {
    Ledger ledger(2, 1, 3);
    for (const std::uint32_t number : {1u, 2u}) {
        ledger.sent({0, number}, 2);
        for (const std::size_t member : {0u, 1u}) ledger.arrived(member, to_data({0, number}));
    }
    EXPECT_TRUE(ledger.verdict().empty());
    EXPECT_EQ(ledger.matched(), ledger.arrived());
}

TEST(Ledger, CondemnsALoss) {
    Ledger ledger(2, 1, 1);
    ledger.sent({0, 1}, 2);
    ledger.arrived(1, to_data({0, 1}));
    EXPECT_EQ(ledger.verdict(),
              std::vector<std::string>{"notification 1 of sender 0 matched 2 members and arrived 1 times"});
}

TEST(Ledger, CondemnsADoubleAlsoWhereAnotherMemberMissedIt) {
    Ledger ledger(2, 1, 1);
    ledger.sent({0, 1}, 2);
    for (int i = 0; i < 2; ++i) ledger.arrived(0, to_data({0, 1}));
    EXPECT_EQ(ledger.verdict(), std::vector<std::string>{"member 0 got notification 1 of sender 0 after number 1"});
}

TEST(Ledger, CondemnsAnotherOrder) {
    Ledger ledger(1, 1, 2);
    for (const std::uint32_t number : {2u, 1u}) {
        ledger.sent({0, number}, 1);
        ledger.arrived(0, to_data({0, number}));
    }
    EXPECT_EQ(ledger.verdict(), std::vector<std::string>{"member 0 got notification 1 of sender 0 after number 2"});
}

TEST(Ledger, CondemnsWhatNobodySent) {
    Ledger ledger(1, 1, 1);
    ledger.arrived(0, to_data({3, 1}));
    ledger.arrived(0, Data{});
    EXPECT_EQ(ledger.verdict().size(), 2u);
}

}  // namespace
}  // namespace muster::test
