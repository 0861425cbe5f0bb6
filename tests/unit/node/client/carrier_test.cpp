// Which workers of a process share a connection, against a node that only welcomes.
#include <gtest/gtest.h>
#include <muster/worker.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "proto/bundle.hpp"
#include "proto/codec.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// Welcomes every hello, and sends a heartbeat to every line ten times a second.
class Host {
public:
    explicit Host(bool takes_bundles) : takes_bundles_(takes_bundles), socket_(context_, zmq::socket_type::router) {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.bind("tcp://127.0.0.1:*");
        endpoint_ = socket_.get(zmq::sockopt::last_endpoint).substr(6);
        thread_ = std::thread([this] { run(); });
    }
    ~Host() {
        stopping_ = true;
        thread_.join();
    }
    /// Hears nothing more over the connections that it has now.
    void forget_connections() {
        const std::lock_guard lock(mutex_);
        deaf_ = routes_;
    }
    /// Does not answer the next hello.
    void miss_a_hello() { misses_ = true; }
    /// Over how many connections it has welcomed somebody.
    [[nodiscard]] std::size_t connections() {
        const std::lock_guard lock(mutex_);
        return routes_.size();
    }
    [[nodiscard]] bool comes_to_welcome(std::uint64_t workers) {
        const auto end = Clock::now() + std::chrono::seconds(10);
        while (welcomed_ < workers && Clock::now() < end) std::this_thread::sleep_for(milliseconds(5));
        return welcomed_ == workers;
    }
    std::unique_ptr<Worker> worker(const std::string& name) {
        auto made = Worker::connect({.nodes = {endpoint_}, .name = name});
        EXPECT_TRUE(made) << made.error().text;
        return made ? std::move(*made) : nullptr;
    }
    std::vector<std::unique_ptr<Worker>> workers(int count) {
        std::vector<std::future<std::unique_ptr<Worker>>> coming;
        for (int i = 0; i < count; ++i)
            coming.push_back(std::async(std::launch::async, [this, i] { return worker("w" + std::to_string(i)); }));
        std::vector<std::unique_ptr<Worker>> all;
        for (auto& one : coming) all.push_back(one.get());
        return all;
    }

private:
    struct Line {
        std::uint64_t number = 0;
        bool in_bundles = false;
        auto operator<=>(const Line&) const = default;
    };

    void run() {
        auto next_heartbeat = Clock::now();
        while (!stopping_) {
            zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
            zmq::poll(&item, 1, milliseconds(5));
            zmq::message_t route;
            zmq::message_t frame;
            while (socket_.recv(route, zmq::recv_flags::dontwait)) {
                if (!socket_.recv(frame)) break;
                take(route.to_string(), {static_cast<const char*>(frame.data()), frame.size()});
            }
            if (Clock::now() < next_heartbeat) continue;
            next_heartbeat = Clock::now() + milliseconds(100);
            for (const auto& [to, lines] : lines_)
                for (const Line& line : lines) send(to, line, proto::NodeHeartbeat{});
        }
        socket_.close();
    }
    void take(const std::string& route, std::string_view frame) {
        {
            const std::lock_guard lock(mutex_);
            if (deaf_.contains(route)) return;
        }
        if (!proto::is_bundle(frame)) return take(route, Line{}, proto::decode(frame));
        auto parts = proto::decode_bundle(frame);
        ASSERT_TRUE(parts && takes_bundles_);
        for (auto& part : *parts) take(route, Line{part.line, true}, std::move(part.message));
    }
    void take(const std::string& route, const Line& line, proto::Decoded message) {
        ASSERT_TRUE(message);
        if (!std::holds_alternative<proto::WorkerHello>(message->body) || misses_.exchange(false)) return;
        {
            const std::lock_guard lock(mutex_);
            routes_.insert(route);
        }
        ++welcomed_;
        lines_[route].insert(line);
        const NodeInfo self{{"a", Incarnation{7}}, NodeState::alive, endpoint_};
        send(route, line,
             proto::WorkerWelcome{SessionToken{++last_token_}, false, 100, 2000, 1000, self, {}, 0, takes_bundles_});
    }
    void send(const std::string& route, const Line& line, proto::Body body) {
        {
            const std::lock_guard lock(mutex_);
            if (deaf_.contains(route)) return;
        }
        const proto::Message message{{"default", "a", 7, 0}, std::move(body)};
        std::string frame;
        proto::BundleEncoder bundle;
        if (line.in_bundles) {
            bundle.add(line.number, message);
            bundle.finish(frame);
        } else {
            proto::encode(message, frame);
        }
        socket_.send(zmq::buffer(route), zmq::send_flags::sndmore);
        socket_.send(zmq::buffer(frame), zmq::send_flags::none);
    }

    const bool takes_bundles_;
    zmq::context_t context_;
    zmq::socket_t socket_;
    std::string endpoint_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> misses_{false};
    std::atomic<std::uint64_t> welcomed_{0};
    std::mutex mutex_;
    std::set<std::string> routes_;
    std::set<std::string> deaf_;
    std::map<std::string, std::set<Line>> lines_;
    std::uint64_t last_token_ = 0;
    std::thread thread_;
};

TEST(Carrier, WorkersThatConnectTogetherShareAConnection) {
    Host host(true);
    const auto all = host.workers(8);
    EXPECT_EQ(host.connections(), 1u);
}

TEST(Carrier, WorkersAtAnOlderNodeHaveConnectionsOfTheirOwn) {
    Host host(false);
    const auto all = host.workers(5);
    EXPECT_EQ(host.connections(), 5u);
}

TEST(Carrier, AHelloThatIsNotAnsweredHoldsUpNobodyForGood) {
    Host host(true);
    host.miss_a_hello();
    const auto all = host.workers(5);
    for (const auto& worker : all) EXPECT_NE(worker, nullptr);
    EXPECT_LE(host.connections(), 2u);
}

TEST(Carrier, AConnectionThatWasGivenUpTakesNobody) {
    Host host(true);
    const auto first = host.worker("first");
    host.forget_connections();
    ASSERT_TRUE(host.comes_to_welcome(2)) << "it is silent, so the worker says hello over another one";
    const auto others = host.workers(3);
    EXPECT_EQ(host.connections(), 2u);
}

TEST(Carrier, WorkersThatLoseAConnectionShareTheNextOne) {
    Host host(true);
    const auto all = host.workers(6);
    host.forget_connections();
    ASSERT_TRUE(host.comes_to_welcome(12));
    EXPECT_EQ(host.connections(), 2u);
}

}  // namespace
}  // namespace muster::client
