// muster_capture_frames DIR: keeps the frames of this version in DIR, from the samples of the codec's tests and from
// what three real nodes and their workers send each other, without keys and with keys.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/integration/cluster.hpp"
#include "tests/unit/proto/support.hpp"
#include "tests/versions/frames.hpp"

namespace muster::versions {
namespace {

namespace fs = std::filesystem;
using test::Cluster;
using Words = std::vector<std::string>;

/// Does most of what a cluster and its workers do, with programs that write down what they send.
void play(const std::string& records) {
    const Words enter{"/usr/bin/env", "TRANSLATION=record:" + records};
    std::vector<test::Place> places(3);
    for (auto& place : places)
        place = {enter, "127.0.0.1:" + std::to_string(test::free_port()), {}, MUSTERD_TRANSLATED_PATH};
    Cluster cluster(places, {"--session-grace", "200"});
    const auto command = [&](std::size_t i, Words words) {
        words.insert(words.begin(), {"/usr/bin/env", "TRANSLATION=record:" + records, MUSTER_TRANSLATED_PATH, "--json",
                                     "--node", cluster.address(i)});
        return words;
    };
    test::Process watcher(command(0, {"watch"}));
    watcher.wait_for_line("snapshot");
    test::Process worker(
        command(1, {"join", "orders", "subscriptions", "--count", "3", "--meta", "zone=eu", "--visible"}));
    worker.wait_for_line("joined");
    for (const char* kind : {"created", "updated", "deleted"})
        test::run(command(2, {"notify", kind, "orders", "subscriptions", R"({"order": 7})", "--wait"}));
    for (const Words& words : {Words{"nodes"}, {"groups"}, {"status"}, {"members", "orders", "subscriptions"}})
        test::run(command(2, words));
    // Silent for long enough to be asked about, and to need what it missed.
    cluster.node(2).signal(SIGSTOP);
    test::run(command(0, {"join", "orders", "streams", "--timeout", "1.5"}));
    cluster.node(2).signal(SIGCONT);
    cluster.wait_alive(0, 3);
    worker.signal(SIGINT);
    worker.wait_exit();
    for (std::size_t i = 0; i < cluster.size(); ++i) cluster.node(i).signal(SIGTERM);
    for (std::size_t i = 0; i < cluster.size(); ++i) cluster.node(i).wait_exit();
}

/// In a process of its own, because the first cluster of a process decides whether all of its clusters have keys.
void play_apart(const std::string& records, bool keys) {
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child == 0) {
        if (keys) ::setenv("MUSTER_TEST_KEYS", "1", 1);
        try {
            play(records);
            std::exit(0);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "muster_capture_frames: %s\n", error.what());
            std::exit(1);
        }
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child || status != 0) throw std::runtime_error("the cluster did not work");
}

std::vector<std::string> read(const std::string& records) {
    std::vector<std::string> frames;
    for (const auto& entry : fs::directory_iterator(records)) {
        std::ifstream file(entry.path());
        // The last line of a process that was killed may be cut short.
        for (std::string hex; std::getline(file, hex) && !file.eof();) frames.push_back(proto::test::from_hex(hex));
    }
    return frames;
}

int capture(const std::string& folder) {
    const auto records = fs::temp_directory_path() / ("muster-frames-" + std::to_string(::getpid()));
    fs::create_directories(records);
    for (const bool keys : {false, true}) play_apart(records, keys);
    const auto traffic = read(records);
    fs::remove_all(records);
    if (traffic.empty()) throw std::runtime_error("nothing was recorded");
    const auto without = write_frames(folder, traffic);
    std::printf("%zu frames of traffic; frames of %s are kept, of these types from samples alone:", traffic.size(),
                folder.c_str());
    for (const auto& type : without) std::printf(" %s", type.c_str());
    std::printf("\n");
    return 0;
}

}  // namespace
}  // namespace muster::versions

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: muster_capture_frames DIR\n");
        return 2;
    }
    try {
        return muster::versions::capture(argv[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "muster_capture_frames: %s\n", error.what());
        return 1;
    }
}
