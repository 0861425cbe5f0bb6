// What the process itself runs out of: descriptors, threads, readers of its log, an address to listen on.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "tests/integration/cluster.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAtOnce = 4;  // processes side by side

std::string on_loopback() {
    return "127.0.0.1:" + std::to_string(free_port());
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

/// Runs `command` to its end. A node that serves is asked to end. Empty if it ended as it should: with a line and
/// status 1, or after it served with 0.
std::string why_not_clean(std::vector<std::string> command, std::vector<std::string> environment = {}) {
    Process process(std::move(command), std::move(environment));
    process.wait_for_error(" ");  // it serves, or says why not; or it ended without a word
    const bool serves = process.errors().find("listens on") != std::string::npos;
    if (serves) process.signal(SIGTERM);  // it may still find that it cannot serve HTTP
    const auto status = process.wait_exit();
    const auto said = process.errors();
    if (!status) return "hangs: " + said;
    if (*status == 0 ? serves : *status == 1 && said.find("musterd: ") != std::string::npos) return {};
    // Before main() the loader itself could not open a library.
    if (*status == 127 && said.find("shared librar") != std::string::npos) return {};
    return "status " + std::to_string(*status) + ": " + said;
}

/// Calls `try_one` for each number, some at the same time, and expects that it returns nothing.
void for_each_number(unsigned first, unsigned last, const std::function<std::string(unsigned)>& try_one) {
    std::atomic<unsigned> next = first;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kAtOnce; ++i)
        threads.emplace_back([&] {
            for (unsigned number = next++; number <= last; number = next++) {
                const auto wrong = try_one(number);
                const std::lock_guard lock(mutex);
                EXPECT_EQ(wrong, "") << "with " << number;
            }
        });
    for (auto& thread : threads) thread.join();
}

std::vector<std::string> limited(unsigned descriptors, const std::string& command) {
    return {"/bin/sh", "-c", "ulimit -n " + std::to_string(descriptors) + "; exec " + command};
}

TEST(Limits, ANodeWithAnyLimitOfDescriptorsServesOrEndsWithALine) {
    for_each_number(4, 70, [](unsigned descriptors) {
        return why_not_clean(limited(descriptors, std::string(MUSTERD_PATH) + " --name a --http 127.0.0.1:" +
                                                      std::to_string(free_port()) + " --listen " + on_loopback()));
    });
}

/// Why the command line did something else than its work, or to end with a line.
std::string why_not_clean(const Finished& done) {
    const bool is_error = done.status > 0 && done.status < 125 && done.errors.find("muster: ") != std::string::npos;
    const bool is_loader = done.status == 127 && done.errors.find("shared librar") != std::string::npos;
    return done.status == 0 || done.status == 124 || is_error || is_loader
               ? ""
               : "status " + std::to_string(done.status) + ": " + done.errors;
}

TEST(Limits, AWorkerWithAnyLimitOfDescriptorsIsServedOrEndsWithALine) {
    const Cluster cluster(1);
    for_each_number(4, 40, [&](unsigned descriptors) {
        const std::string muster = std::string(MUSTER_PATH) + " --node " + cluster.address(0);
        return why_not_clean(run(limited(descriptors, muster + " nodes"))) +
               why_not_clean(run(limited(descriptors, muster + " join a b --timeout 0.1")));
    });
}

#ifdef MUSTER_SCARCE
TEST(Limits, ANodeThatIsRefusedAnyDescriptorOrThreadServesOrEndsWithALine) {
    for (const char* length : {"1", "5", "1000000"})
        for_each_number(1, 120, [&](unsigned call) {
            return why_not_clean({MUSTERD_PATH, "--name", "a", "--listen", on_loopback(), "--seed", on_loopback(),
                                  "--http", "127.0.0.1:" + std::to_string(free_port())},
                                 {"LD_PRELOAD=" MUSTER_SCARCE, "MUSTER_REFUSE_AT=" + std::to_string(call),
                                  std::string("MUSTER_REFUSE=") + length});
        });
}

TEST(Limits, AWorkerThatIsRefusedAnyDescriptorOrThreadIsServedOrEndsWithALine) {
    const Cluster cluster(1);
    for (const char* length : {"1", "3", "1000000"})
        for_each_number(1, 40, [&](unsigned call) {
            return why_not_clean(
                run({"/usr/bin/env", "LD_PRELOAD=" MUSTER_SCARCE, "MUSTER_REFUSE_AT=" + std::to_string(call),
                     std::string("MUSTER_REFUSE=") + length, MUSTER_PATH, "--node", cluster.address(0), "join", "a",
                     "b", "--timeout", "0.1"}));
        });
}

TEST(Limits, WithAnyNumberOfThreadsEachProgramDoesItsWorkOrEndsWithALine) {
    const Cluster cluster(1);
    for_each_number(1, 16, [&](unsigned threads) {
        const std::vector<std::string> few{"LD_PRELOAD=" MUSTER_SCARCE, "MUSTER_THREADS=" + std::to_string(threads)};
        const std::vector<std::string> muster{"/usr/bin/env", few[0],   few[1],
                                              MUSTER_PATH,    "--node", cluster.address(0)};
        const auto with = [&](const std::vector<std::string>& words) {
            auto command = muster;
            command.insert(command.end(), words.begin(), words.end());
            return why_not_clean(run(std::move(command)));
        };
        return with({"nodes"}) + with({"join", "a", "b", "--timeout", "0.1"}) + with({"top", "--once"}) +
               why_not_clean({MUSTERD_PATH, "--name", "a", "--listen", on_loopback(), "--http",
                              "127.0.0.1:" + std::to_string(free_port())},
                             few);
    });
}

TEST(Limits, WithTooLittleAddressSpaceForItsThreadsTheCommandSaysSo) {
    std::atomic<int> said = 0;
    for_each_number(10, 60, [&](unsigned megabytes) {
        const auto done = run(
            {"/bin/sh", "-c",
             "ulimit -v " + std::to_string(megabytes * 1000) + "; exec " + MUSTER_PATH + " --node 127.0.0.1:1 nodes"});
        const bool is_about_threads = done.errors.find("no more threads") != std::string::npos;
        const bool is_named = done.errors.find("address space (ulimit -v, LimitAS)") != std::string::npos;
        if (is_about_threads && is_named) ++said;
        return is_about_threads && !is_named ? done.errors : why_not_clean(done);
    });
    EXPECT_GT(said, 0);
}
#endif

/// While it lives, the process can open four more descriptors at most. (A limit of three would do more than that:
/// poll() fails if it gets more descriptors than the limit.)
class FewDescriptors {
public:
    explicit FewDescriptors(pid_t process) : process_(process) {
        std::set<rlim_t> open;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd"))
            open.insert(std::stoul(entry.path().filename()));
        rlim_t limit = 0;
        for (rlim_t unused = 0; limit <= *open.rbegin(); ++limit)
            if (!open.contains(limit) && ++unused > 4) break;
        ::prlimit(process_, RLIMIT_NOFILE, nullptr, &before_);
        const rlimit few{limit, before_.rlim_max};
        ::prlimit(process_, RLIMIT_NOFILE, &few, nullptr);
    }
    ~FewDescriptors() { ::prlimit(process_, RLIMIT_NOFILE, &before_, nullptr); }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;

private:
    const pid_t process_;
    rlimit before_{};
};

/// Connections that say nothing.
class Connections {
public:
    Connections(const std::string& address, std::size_t number) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(static_cast<std::uint16_t>(std::stoul(address.substr(address.find(':') + 1))));
        for (std::size_t i = 0; i < number; ++i) {
            fds_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            ::connect(fds_.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
        }
    }
    ~Connections() {
        for (const int fd : fds_) ::close(fd);
    }
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

private:
    std::vector<int> fds_;
};

double cpu_seconds(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    const std::vector<std::string> words{std::istream_iterator<std::string>(file), {}};
    return (std::stod(words.at(13)) + std::stod(words.at(14))) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

TEST(Limits, ANodeThatRunsOutOfDescriptorsGoesOnAndIsWholeAgainAfterwards) {
    Cluster cluster(3);
    const auto worker = join(cluster, 0);
    std::optional<FewDescriptors> few(std::in_place, cluster.node(0).pid());
    std::optional<Connections> strangers(std::in_place, cluster.address(0), 64);
    EXPECT_TRUE(cluster.node(0).wait_for_error("event=resources_short"));
    cluster.node(1).signal(SIGKILL);  // when it is back, the first node needs sockets for it
    cluster.node(1).wait_exit();
    cluster.start(1);
    cluster.wait_ready(1);
    const auto began = Clock::now();
    const double before = cpu_seconds(cluster.node(0).pid());
    std::this_thread::sleep_for(milliseconds(7000));  // longer than a connection that gets no answer is kept
    const double used = cpu_seconds(cluster.node(0).pid()) - before;
    EXPECT_LT(used, std::chrono::duration<double>(Clock::now() - began).count() / 3) << "it must not spin";
    EXPECT_TRUE(cluster.wait_alive(2, 3)) << "the others still hear it";
    EXPECT_EQ(notify(cluster, 2, "1", {"--wait"})["delivered"], 1);
    strangers.reset();
    few.reset();
    for (const std::size_t i : {0u, 1u, 2u}) EXPECT_TRUE(cluster.wait_alive(i, 3)) << Cluster::name(i);
    EXPECT_TRUE(cluster.node(0).wait_for_error("event=resources_back"));
    EXPECT_EQ(notify(cluster, 1, "2", {"--wait"})["delivered"], 1);
    EXPECT_EQ(count(cluster.node(0).errors(), "event=resources_short"), 1u);
    EXPECT_FALSE(cluster.node(0).wait_exit(milliseconds(0)));
}

// ---- standard error that nobody reads --------------------------------------------

/// A FIFO that is full and never read.
struct FullPipe {
    FullPipe() : path("/tmp/muster-full-" + std::to_string(::getpid())) {
        ::mkfifo(path.c_str(), 0600);
        fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        const std::array<char, 4096> page{};
        while (::write(fd, page.data(), page.size()) > 0) continue;
    }
    ~FullPipe() {
        ::close(fd);
        std::filesystem::remove(path);
    }
    FullPipe(const FullPipe&) = delete;
    FullPipe& operator=(const FullPipe&) = delete;

    const std::string path;
    int fd = -1;
};

/// A terminal whose output was stopped with Ctrl-S.
struct StoppedTerminal {
    StoppedTerminal() : fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        ::grantpt(fd);
        ::unlockpt(fd);
        std::array<char, 128> name{};
        ::ptsname_r(fd, name.data(), name.size());
        path = name.data();
        slave = ::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (::write(fd, "\x13", 1) != 1) path.clear();
    }
    ~StoppedTerminal() {
        ::close(slave);
        ::close(fd);
    }
    StoppedTerminal(const StoppedTerminal&) = delete;
    StoppedTerminal& operator=(const StoppedTerminal&) = delete;

    const int fd;
    int slave = -1;
    std::string path;
};

/// A node with this standard error serves, stays alive for the others, and ends when it is asked. `before` are commands
/// of the shell that becomes the node.
void expect_to_serve(const std::string& standard_error, const std::string& before = "") {
    ASSERT_NE(standard_error, "");
    const std::string address = on_loopback();
    Process mute(
        {"/bin/sh", "-c",
         before + "exec " MUSTERD_PATH " --log-level debug --name mute --listen " + address + " 2>" + standard_error});
    Process other({MUSTERD_PATH, "--name", "other", "--listen", on_loopback(), "--seed", address});
    EXPECT_TRUE(other.wait_for_error("node mute is up"));
    std::this_thread::sleep_for(milliseconds(4000));  // longer than a node may be silent
    EXPECT_EQ(other.errors().find("node mute is suspected"), std::string::npos) << other.errors();
    EXPECT_EQ(run({MUSTER_PATH, "--node", address, "nodes"}).status, 0);
    mute.signal(SIGTERM);
    EXPECT_EQ(mute.wait_exit(), 0);
    EXPECT_TRUE(other.wait_for_error("node mute has left"));
}

TEST(Limits, ALogIntoAFullPipeDoesNotStopTheNode) {
    const FullPipe pipe;
    expect_to_serve(pipe.path);
}

TEST(Limits, ALogOnAStoppedTerminalDoesNotStopTheNode) {
    const StoppedTerminal terminal;
    expect_to_serve(terminal.path);
}

TEST(Limits, ALogOnAFullDeviceDoesNotStopTheNode) {
    expect_to_serve("/dev/full");
}

TEST(Limits, ALogThatMayNotGrowDoesNotStopTheNode) {
    const auto file = std::filesystem::temp_directory_path() / ("muster-limits-" + std::to_string(::getpid()) + ".log");
    expect_to_serve(file.string(), "ulimit -f 0; ");  // which SIGXFSZ tells, and it ends a process
    std::filesystem::remove(file);
}

TEST(Limits, AFileThatMayNotGrowIsAnErrorOfTheCommand) {
    const Cluster cluster(1);
    const auto folder = std::filesystem::temp_directory_path() / ("muster-limits-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const std::string muster = std::string("ulimit -f 0; exec ") + MUSTER_PATH + " --node " + cluster.address(0) + " ";
    for (const auto& [command, status] :
         std::vector<std::pair<std::string, int>>{{"nodes >" + (folder / "out").string(), 1},
                                                  {"keygen a --dir " + folder.string(), 2},
                                                  {"join s f --state " + (folder / "state").string(), 2}}) {
        const auto done = run({"/bin/sh", "-c", muster + command});
        EXPECT_EQ(done.status, status) << command << done.errors;
        EXPECT_NE(done.errors.find("File too large"), std::string::npos) << command << done.errors;
    }
    std::filesystem::remove_all(folder);
}

TEST(Limits, ANodeWhoseNameIsTakenEndsThoughNobodyReadsItsLog) {
    Cluster cluster(1);
    const FullPipe pipe;
    Process twin({"/bin/sh", "-c",
                  std::string("exec ") + MUSTERD_PATH + " --name " + Cluster::name(0) + " --listen " + on_loopback() +
                      " --seed " + cluster.address(0) + " 2>" + pipe.path});
    EXPECT_EQ(twin.wait_exit(2 * kPatience), 1);
}

// ---- addresses that are not there yet --------------------------------------------

TEST(Limits, AnAddressThatIsNotThereYetIsNoWrongSetting) {
    const std::vector<std::string> node{MUSTERD_PATH, "--name", "a", "--insecure", "--listen", "10.99.0.1:7100"};
    const auto early = run(node);
    EXPECT_EQ(early.status, 1) << "the unit must start it again";
    EXPECT_NE(early.errors.find("this host has no such address now"), std::string::npos) << early.errors;
    const auto unknown = run({MUSTERD_PATH, "--name", "a", "--insecure", "--listen", "no-such-host.invalid:7100"});
    EXPECT_EQ(unknown.status, 1) << unknown.errors;
    EXPECT_NE(unknown.errors.find("cannot resolve no-such-host.invalid"), std::string::npos) << unknown.errors;
    const auto http =
        run({MUSTERD_PATH, "--name", "a", "--insecure", "--listen", on_loopback(), "--http", "10.99.0.1:7180"});
    EXPECT_EQ(http.status, 1) << http.errors;
    EXPECT_NE(http.errors.find("this host has no such address now"), std::string::npos) << http.errors;
    const auto later =
        run({MUSTERD_PATH, "--name", "a", "--listen", on_loopback(), "--http", "no-such-host.invalid:1"});
    EXPECT_EQ(later.status, 1) << later.errors;
    EXPECT_EQ(http.errors.find("listens on"), std::string::npos) << "it came and went in its cluster: " << http.errors;

    if (run({"/bin/sh", "-c", "ip address add 10.99.0.1/32 dev lo"}).status != 0)
        GTEST_SKIP() << "an address needs root";
    Process late(node);
    EXPECT_TRUE(late.wait_for_error("listens on 10.99.0.1:7100"));
    late.signal(SIGTERM);
    EXPECT_EQ(late.wait_exit(), 0);
    run({"/bin/sh", "-c", "ip address del 10.99.0.1/32 dev lo"});
}

}  // namespace
}  // namespace muster::test
