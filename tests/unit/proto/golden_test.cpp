// The wire, frozen: golden.txt has the bytes of every ordinary sample. A change
// there is a change of the protocol. MUSTER_UPDATE_GOLDEN=1 writes the file anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

const std::string kPath = "tests/unit/proto/golden.txt";

std::map<std::string, std::string> recorded() {
    std::map<std::string, std::string> hex;
    std::istringstream lines(read_source(kPath));
    for (std::string name, bytes; lines >> name >> bytes;) hex[name] = bytes;
    return hex;
}

TEST(Golden, EveryMessageHasTheRecordedBytes) {
    if (std::getenv("MUSTER_UPDATE_GOLDEN") != nullptr) {
        std::ofstream file(std::string(MUSTER_SOURCE_DIR) + '/' + kPath);
        for (const auto& sample : ordinary_samples())
            file << sample.name << ' ' << to_hex(encode(sample.message)) << '\n';
        FAIL() << kPath << " was written anew: look at what changed, then run without MUSTER_UPDATE_GOLDEN";
    }
    const auto golden = recorded();
    EXPECT_EQ(golden.size(), ordinary_samples().size());
    for (const auto& sample : ordinary_samples()) {
        ASSERT_TRUE(golden.count(sample.name)) << sample.name << " is not in " << kPath;
        EXPECT_EQ(to_hex(encode(sample.message)), golden.at(sample.name)) << sample.name;
    }
}

TEST(Golden, RecordedBytesStillDecodeToTheSameMessage) {
    const auto golden = recorded();
    for (const auto& sample : ordinary_samples()) {
        ASSERT_TRUE(golden.count(sample.name)) << sample.name;
        auto decoded = decode(from_hex(golden.at(sample.name)));
        ASSERT_TRUE(decoded) << sample.name;
        EXPECT_TRUE(*decoded == sample.message) << sample.name;
    }
}

}  // namespace
}  // namespace muster::proto::test
