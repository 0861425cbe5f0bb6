// Workers that do at random whatever a worker can do, in any size, while others are served.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/raw_worker.hpp"
#include "tests/integration/under_attack.hpp"

namespace muster::test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// One attacker after the other, each with a connection of its own.
class Attackers {
public:
    Attackers(std::string door, std::uint64_t seed) : door_(std::move(door)), random_(seed) {}

    void attack_until(steady_clock::time_point end) {
        while (steady_clock::now() < end) {
            RawWorker worker(door_, "liar-" + std::to_string(below(20)), one_in(2) ? 4096 : 0);
            reads_ = one_in(2);
            for (std::uint64_t left = 1 + below(40); worker.token != 0 && left > 0 && steady_clock::now() < end; --left)
                if (!act(worker)) break;
        }
    }

private:
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    /// Small numbers are as likely as large ones.
    std::uint64_t of_any_size(std::uint64_t most) { return 1 + below(1 + below(1 + most)); }
    Group group() { return {"storm", std::to_string(below(one_in(4) ? 1'000'000 : 8))}; }
    Meta meta() {
        Meta meta;
        if (one_in(2)) return meta;
        for (std::uint64_t i = below(17); i > 0; --i)
            meta["k" + std::to_string(i)] = std::string(below(256), static_cast<char>('a' + below(26)));
        return meta;
    }
    Data data() {
        const std::uint64_t size = of_any_size(500'000);
        std::string head("\xc6\0\0\0\0", 5);
        for (unsigned i = 0; i < 4; ++i) head[1 + i] = static_cast<char>(size >> (24 - 8 * i) & 0xff);
        return {head + std::string(size, 'x')};
    }

    proto::Body request() {
        switch (below(10)) {
            case 0:
            case 1:
                return proto::JoinRequest{group(), of_any_size(65'536), meta(), one_in(8), of_any_size(86'400'000)};
            case 2:
                return proto::LeaveRequest{group(), {}, of_any_size(65'536)};
            case 3:
                return proto::MembersRequest{group(), one_in(4)};
            case 4:
                return proto::GroupsRequest{};
            case 5:
                return proto::StatusRequest{};
            case 6:
                return proto::WatchRequest{one_in(3) ? Group{} : group()};
            case 7:
                return proto::UnwatchRequest{below(10)};
            default:
                return proto::NotifyRequest{NotificationKind::updated, group(), data(), one_in(2),
                                            of_any_size(86'400'000)};
        }
    }

    bool act(RawWorker& worker) {
        const proto::Body body = request();
        const std::uint64_t times = one_in(5) ? of_any_size(300) : 1;
        for (std::uint64_t i = 0; i < times; ++i)
            if (!worker.ask(body)) return false;
        if (one_in(3) && !worker.acknowledge(one_in(10) ? random_() : below(1000))) return false;
        if (reads_)
            while (worker.peer.read_frame(std::chrono::milliseconds(1))) {
            }
        return true;
    }

    std::string door_;
    std::mt19937_64 random_;
    bool reads_ = true;
};

/// The value in the line that begins with `name`; a failure without one.
std::uint64_t value_of(const std::string& metrics, const std::string& name) {
    const auto at = metrics.find("\n" + name + ' ');
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? 0 : std::strtoull(metrics.c_str() + at + name.size() + 2, nullptr, 10);
}

/// `scripts/hostile` runs it for longer.
TEST(HostileStorm, HonestWorkersAreServedAllTheSame) {
    const auto seed = from_environment("MUSTER_TEST_SEED", std::random_device{}());
    const auto time = seconds(from_environment("MUSTER_HOSTILE_SECONDS", 10));
    std::cout << "MUSTER_TEST_SEED=" << seed << std::endl;
    constexpr std::uint64_t kMemoryMib = 256;
    UnderAttack attacked({"--memory", std::to_string(kMemoryMib << 20), "--connection-bytes", "16777216"});
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 3; ++i)
        threads.emplace_back([&, i] { Attackers(attacked.door(), seed + i).attack_until(steady_clock::now() + time); });
    for (auto& thread : threads) thread.join();
    for (std::size_t node = 0; node < 3; ++node) {
        const auto counters = ask(attacked.cluster(), node, {"status"})["counters"];
        EXPECT_EQ(counters.value("suspicions", 0), 0) << "at " << Cluster::name(node);
    }
    // Ten times as long as any turn that was seen: the attackers need the same processors.
    const auto metrics = http_get(attacked.http(), "/metrics").value_or("");
    EXPECT_EQ(value_of(metrics, "muster_loop_turn_seconds_bucket{le=\"1\"}"),
              value_of(metrics, "muster_loop_turn_seconds_bucket{le=\"+Inf\"}"));
    attacked.expect_unharmed(3 * kMemoryMib);
}

}  // namespace
}  // namespace muster::test
