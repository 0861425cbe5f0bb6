#include "tests/versions/frames.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>

#include "proto/codec.hpp"
#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"
#include "tests/versions/meaning.hpp"

namespace muster::versions {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using proto::test::from_hex;
using proto::test::to_hex;

constexpr std::size_t kLargest = 2048;
constexpr std::size_t kOfTraffic = 8;

using Lines = std::map<std::string, std::vector<json>>;  // by type

json line_of(const std::string& frame, const char* from, const proto::Message& message) {
    return {{"frame", to_hex(frame)}, {"from", from}, {"says", meaning(message)}};
}

void add_traffic(Lines& lines, const std::vector<std::string>& traffic) {
    for (const auto& frame : std::set<std::string>(traffic.begin(), traffic.end())) {
        if (frame.size() > kLargest) continue;
        auto message = proto::decode(frame);
        if (!message) throw std::runtime_error("a frame of traffic does not decode: " + to_hex(frame));
        auto& of_type = lines[type_of(*message)];
        const auto taken =
            std::count_if(of_type.begin(), of_type.end(), [](const json& one) { return one["from"] == "traffic"; });
        if (static_cast<std::size_t>(taken) < kOfTraffic) of_type.push_back(line_of(frame, "traffic", *message));
    }
}

}  // namespace

std::vector<KeptFrame> read_frames(const std::string& folder) {
    std::vector<KeptFrame> frames;
    for (const auto& entry : fs::directory_iterator(folder)) {
        std::ifstream file(entry.path());
        std::size_t number = 0;
        for (std::string text; std::getline(file, text);) {
            const auto where = entry.path().string() + ':' + std::to_string(++number);
            const auto line = json::parse(text, nullptr, false);
            if (!line.is_object()) throw std::runtime_error(where + ": not a JSON object");
            frames.push_back(
                {where, entry.path().stem(), from_hex(line.at("frame").get<std::string>()), line.at("says")});
        }
    }
    return frames;
}

std::vector<std::string> write_frames(const std::string& folder, const std::vector<std::string>& traffic) {
    Lines lines;
    std::vector<std::string> without_traffic;
    for (const auto& sample : proto::test::all_samples()) {
        const auto frame = proto::encode(sample.message);
        if (frame.size() <= kLargest) lines[sample.name].push_back(line_of(frame, "sample", sample.message));
    }
    add_traffic(lines, traffic);
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const auto& [type, of_type] : lines) {
        std::ofstream file(fs::path(folder) / (type + ".jsonl"));
        for (const auto& line : of_type) file << line.dump() << '\n';
        if (!file.flush()) throw std::runtime_error("cannot write to " + folder);
        if (of_type.back()["from"] != "traffic") without_traffic.push_back(type);
    }
    return without_traffic;
}

std::string difference(const json& expected, const json& said, const std::string& path) {
    if (expected.is_object() && said.is_object()) {
        for (const auto& [key, value] : expected.items()) {
            if (!said.contains(key)) return path + "/" + key + " is missing";
            if (auto found = difference(value, said[key], path + "/" + key); !found.empty()) return found;
        }
        return "";
    }
    if (expected.is_array() && said.is_array() && expected.size() == said.size()) {
        for (std::size_t i = 0; i < expected.size(); ++i)
            if (auto found = difference(expected[i], said[i], path + "/" + std::to_string(i)); !found.empty())
                return found;
        return "";
    }
    return expected == said ? "" : path + " is " + said.dump() + ", and was " + expected.dump();
}

}  // namespace muster::versions
