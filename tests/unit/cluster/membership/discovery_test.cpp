// A seed that is a name of several hosts, not always the same.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

bool all_know_each_other(Net& net, const std::vector<std::string>& names) {
    return std::ranges::all_of(names, [&](const auto& name) {
        return std::ranges::count(net.core(name).nodes(), NodeState::alive, &NodeInfo::state) ==
               static_cast<std::ptrdiff_t>(names.size());
    });
}

TEST(Discovery, NodesThatFoundOnlyThemselvesUnderACommonNameFindEachOtherLater) {
    Net net;
    net.hosts["all"] = {"a"};
    net.start("a", "all");
    net.run(milliseconds(300));
    net.hosts["all"] = {"b"};
    net.start("b", "all");
    net.run(milliseconds(300));
    ASSERT_TRUE(net.core("a").is_ready());
    ASSERT_TRUE(net.core("b").is_ready());
    ASSERT_FALSE(all_know_each_other(net, {"a", "b"}));

    net.hosts["all"] = {"a", "b"};
    net.run(milliseconds(6000));
    EXPECT_TRUE(all_know_each_other(net, {"a", "b"}));
}

TEST(Discovery, TwoClustersUnderACommonNameBecomeOne) {
    Net net;
    net.start("a");
    net.hosts["all"] = {"a"};
    net.start("b", "all");
    net.run(milliseconds(300));
    net.start("c");
    net.hosts["all"] = {"c"};
    net.start("d", "all");
    net.run(milliseconds(300));
    ASSERT_TRUE(all_know_each_other(net, {"a", "b"}));
    ASSERT_TRUE(all_know_each_other(net, {"c", "d"}));

    net.hosts["all"] = {"a", "b", "c", "d"};
    net.run(std::chrono::seconds(65));
    EXPECT_TRUE(all_know_each_other(net, {"a", "b", "c", "d"}));
}

}  // namespace
}  // namespace muster::cluster::test
