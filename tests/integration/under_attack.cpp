#include "tests/integration/under_attack.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace muster::test {
namespace {

const Group kServed{"orders", "subscriptions"};
constexpr std::size_t kNodes = 3;
constexpr std::uint32_t kMost = 1'000'000;   // of one sender
constexpr std::uint64_t kUnderWay = 60'000;  // fewer than any queue of the product holds
constexpr milliseconds kBetween{5};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kOfSanitizer = 6;  // what it keeps back, and its shadow
#else
constexpr std::uint64_t kOfSanitizer = 1;
#endif

std::string free_address() {
    return "127.0.0.1:" + std::to_string(free_port());
}

std::string port_of(const std::string& address) {
    return address.substr(address.rfind(':') + 1);
}

std::vector<Place> places(const std::string& control, const std::string& gossip, const std::string& http,
                          const std::vector<std::string>& limits, const Keys* keys) {
    std::vector<Place> all = keys == nullptr ? std::vector<Place>(kNodes) : keys->places(kNodes);
    for (auto& place : all) {
        if (place.address.empty()) place.address = free_address();
        if (keys != nullptr || &place == &all.front())
            place.more.insert(place.more.end(), limits.begin(), limits.end());
    }
    all.front().more.insert(all.front().more.end(),
                            {"--control-port", port_of(control), "--gossip-port", port_of(gossip), "--http", http});
    return all;
}

}  // namespace

UnderAttack::UnderAttack(std::vector<std::string> limits, const Keys* keys)
    : control_(free_address()),
      gossip_(free_address()),
      http_(free_address()),
      cluster_(places(control_, gossip_, http_, limits, keys)),
      ledger_(kNodes, kNodes, kMost) {
    for (std::size_t i = 0; i < kNodes; ++i) {
        Worker::Options as{.nodes = {cluster_.address(i)},
                           .name = (keys ? "w.served-" : "served-") + std::to_string(i)};
        if (keys != nullptr) {
            as.key_file = keys->key("w");
            as.keys_dir = keys->folder();
        }
        auto worker = Worker::connect(as);
        if (!worker) throw std::runtime_error(worker.error().text);
        JoinOptions options;
        options.visible = true;
        const auto joined = (*worker)->join(
            kServed, [this, i](const Notification& notification) { ledger_.arrived(i, notification.data); }, options);
        if (!joined) throw std::runtime_error(joined.error().text);
        workers_.push_back(std::move(*worker));
    }
    peak_ = peak_mib(0);
    for (std::uint32_t i = 0; i < kNodes; ++i) senders_.emplace_back([this, i] { run(i); });
}

UnderAttack::~UnderAttack() {
    stop_ = true;
    for (auto& sender : senders_)
        if (sender.joinable()) sender.join();
}

void UnderAttack::run(std::uint32_t sender) {
    for (std::uint32_t number = 1; number <= kMost && !stop_; ++number) {
        const auto report = workers_[sender]->notify_updated(kServed, to_data({sender, number}));
        if (!report) return ledger_.broken("sender " + std::to_string(sender) + ": " + report.error().text);
        if (report->matched != kNodes)
            ledger_.broken("a notification matched " + std::to_string(report->matched) + " members");
        ledger_.sent({sender, number}, report->matched);
        while (!stop_ && ledger_.matched() > ledger_.arrived() + kUnderWay) std::this_thread::sleep_for(kBetween);
        std::this_thread::sleep_for(kBetween);
    }
}

NodeId UnderAttack::id_of(std::size_t node) {
    const auto nodes = ask(cluster_, 0, {"nodes"})["nodes"];
    for (const auto& one : nodes)
        if (one["name"] == Cluster::name(node))
            return {one["name"].get<std::string>(), Incarnation{one["incarnation"].get<std::uint64_t>()}};
    throw std::runtime_error("n1 does not know " + Cluster::name(node));
}

std::uint64_t UnderAttack::counter(const std::string& name) {
    return ask(cluster_, 0, {"status"})["counters"].value(name, std::uint64_t{0});
}

std::uint64_t UnderAttack::counter_from_inside(const std::string& name) {
    const auto status = workers_.front()->status();
    if (!status) {
        last_error_ = status.error().text;
        return 0;
    }
    const auto found = status->counters.find(name);
    return found == status->counters.end() ? 0 : found->second;
}

bool UnderAttack::counts(const std::string& name, std::uint64_t least, milliseconds timeout) {
    std::uint64_t count = 0;
    const bool reached =
        eventually([&] { return (count = std::max(count, counter_from_inside(name))) >= least; }, timeout);
    EXPECT_GE(count, least) << name << ' ' << last_error_;
    EXPECT_GE(counter(name), least) << name << ", as the command line has it";
    return reached;
}

void UnderAttack::expect_serving(std::uint64_t notifications) {
    const auto before = ledger_.arrived();
    EXPECT_TRUE(eventually([&] { return ledger_.arrived() >= before + notifications; }));
}

void UnderAttack::expect_unharmed(std::uint64_t most_mib) {
    expect_serving();
    stop_ = true;
    for (auto& sender : senders_) sender.join();
    EXPECT_TRUE(eventually([&] { return ledger_.arrived() >= ledger_.matched(); }));
    for (const auto& line : ledger_.verdict()) ADD_FAILURE() << line;
    for (std::size_t i = 0; i < kNodes; ++i) {
        EXPECT_LE(peak_mib(i), peak_ + most_mib * kOfSanitizer) << "MiB at most; at first n1 had " << peak_;
        EXPECT_TRUE(cluster_.wait_alive(i, kNodes)) << Cluster::name(i);
    }
    Ids expected;
    const auto all = workers_.front()->members(kServed);
    ASSERT_TRUE(all) << all.error().text;
    EXPECT_EQ(all->size(), kNodes);
    EXPECT_TRUE(eventually([&] {
        expected = table(cluster_, 0);
        return expected.size() == kNodes && table(cluster_, 1) == expected && table(cluster_, 2) == expected;
    }));
}

std::uint64_t UnderAttack::peak_mib(std::size_t node) {
    std::ifstream status("/proc/" + std::to_string(cluster_.node(node).pid()) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("VmHWM:")) continue;
        std::istringstream in(line.substr(6));
        std::uint64_t kib = 0;
        in >> kib;
        return kib / 1024;
    }
    return 0;
}

}  // namespace muster::test
