#include "node/io/memory_limit.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace muster::node {
namespace {

void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text << '\n';
}

TEST(MemoryLimit, IsTheLeastOfTheMachineAndAllGroupsAbove) {
    std::string root = std::filesystem::temp_directory_path() / ("muster-" + std::string(6, 'X'));
    ASSERT_NE(::mkdtemp(root.data()), nullptr);
    constexpr std::size_t kMachine = 1'000'000'000;
    EXPECT_EQ(memory_limit(root, "/a/b", kMachine), kMachine) << "no files";
    write(root + "/a/b/memory.max", "max");
    write(root + "/a/memory.max", "500000000");
    EXPECT_EQ(memory_limit(root, "/a/b", kMachine), 500'000'000u);
    write(root + "/a/b/memory.high", "400000000");
    EXPECT_EQ(memory_limit(root, "/a/b", kMachine), 400'000'000u);
    EXPECT_EQ(memory_limit(root, "/a", kMachine), 500'000'000u);
    EXPECT_EQ(memory_limit(root, "/", kMachine), kMachine);
    EXPECT_EQ(memory_limit(root, "", kMachine), kMachine);
    EXPECT_GT(memory_limit(), std::size_t{1} << 20);
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace muster::node
