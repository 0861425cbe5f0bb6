// bench_zmq: what bare libzmq does over the loopback interface: the limit that a service on top of it is held against.
//   propagate  a round trip DEALER -> ROUTER -> DEALER, 64 bytes
//   fanout     PUB -> SUBs in two processes, 64 items to a frame, lossless; deliveries_s counts items
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "tests/bench/arguments.hpp"
#include "tests/bench/flow.hpp"
#include "tests/bench/page.hpp"
#include "tests/bench/peers/forked.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kReceivers = 2;
constexpr std::size_t kPort = 100, kReady = 101;  // slots of the page beside the receivers' counts

void set_up(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::rcvhwm, 0);
    socket.set(zmq::sockopt::linger, 0);
}

void bind(zmq::socket_t& socket, Page& page) {
    set_up(socket);
    socket.bind("tcp://127.0.0.1:*");
    const auto endpoint = socket.get(zmq::sockopt::last_endpoint);
    page.slot(kPort).count = std::stoul(endpoint.substr(endpoint.rfind(':') + 1));
}

/// To what the other process binds.
void connect(zmq::socket_t& socket, Page& page) {
    set_up(socket);
    while (page.slot(kPort).count == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    socket.connect("tcp://127.0.0.1:" + std::to_string(page.slot(kPort).count));
}

void echo(Page& page) {
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::router);
    bind(socket, page);
    for (zmq::message_t id, message;;) {
        if (!socket.recv(id) || !socket.recv(message)) continue;
        socket.send(id, zmq::send_flags::sndmore);
        socket.send(message, zmq::send_flags::none);
    }
}

void measure_round_trip(const Settings& settings) {
    tell("propagate", {{"peer", "zmq"}});
    std::vector<double> p50, p99;
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        Page page;
        const Forked other([&] { echo(page); });
        zmq::context_t context;
        zmq::socket_t socket(context, zmq::socket_type::dealer);
        connect(socket, page);
        const std::string text(64, 'x');
        std::vector<double> us;
        for (std::size_t i = 0; i < settings.calls + settings.calls / 10; ++i) {
            const auto begin = Clock::now();
            socket.send(zmq::buffer(text), zmq::send_flags::none);
            zmq::message_t message;
            (void)socket.recv(message);
            const std::chrono::duration<double, std::micro> taken = Clock::now() - begin;
            if (i >= settings.calls / 10) us.push_back(taken.count());
        }
        p50.push_back(percentile(us, 50));
        p99.push_back(percentile(us, 99));
    }
    Line("propagate", {{"peer", "zmq"}}).measure("p50_us", p50).measure("p99_us", p99).print();
}

/// An empty frame asks for a sign of life; any other is items, each after its length.
void receive_items(Page& page, std::size_t slot) {
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::sub);
    socket.set(zmq::sockopt::subscribe, "");
    connect(socket, page);
    Slot& counted = page.slot(slot);
    for (zmq::message_t frame;;) {
        if (!socket.recv(frame)) continue;
        if (frame.size() == 0) page.slot(kReady + slot).count = 1;
        const char* at = frame.data<char>();
        const char* const end = at + frame.size();
        std::uint64_t items = counted.count;
        for (std::uint32_t length; at < end; at += sizeof length + length, ++items)
            std::memcpy(&length, at, sizeof length);
        counted.count.store(items, std::memory_order_release);
    }
}

std::string frame_of(std::size_t bytes) {
    std::string frame;
    const auto length = static_cast<std::uint32_t>(bytes);
    for (std::uint64_t i = 0; i < kBatch; ++i)
        frame.append(reinterpret_cast<const char*>(&length), sizeof length).append(bytes, 'x');
    return frame;
}

double items_a_second(const Settings& settings, std::size_t bytes) {
    Page page;
    std::vector<std::unique_ptr<Forked>> receivers;
    for (std::size_t i = 0; i < kReceivers; ++i)
        receivers.push_back(std::make_unique<Forked>([&, i] { receive_items(page, i); }));
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::pub);
    bind(socket, page);
    while (page.slot(kReady).count + page.slot(kReady + 1).count < kReceivers) {
        socket.send(zmq::message_t(), zmq::send_flags::none);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const std::string frame = frame_of(bytes);
    const Stream stream{kReceivers, settings.window, 1, settings.duration};
    return flow(page, stream, [&](std::uint64_t) { socket.send(zmq::buffer(frame), zmq::send_flags::none); })
        .deliveries_s;
}

void measure_items(const Settings& settings) {
    for (const std::size_t bytes : {64, 1024}) {
        const Case one{{"peer", "zmq"}, {"how", "sustained"}, {"bytes", std::to_string(bytes)}};
        if (!settings.wants(one)) continue;
        tell("fanout", one);
        std::vector<double> rates;
        for (std::size_t rep = 0; rep < settings.reps; ++rep) rates.push_back(items_a_second(settings, bytes));
        Line("fanout", one).measure("deliveries_s", rates).print();
    }
}

int run(int argc, char** argv) {
    CLI::App app{"Measures bare libzmq."};
    Settings settings;
    std::string row;
    app.add_option("row", row)->required()->check(CLI::IsMember({"propagate", "fanout"}));
    add_options(app, settings);
    CLI11_PARSE(app, argc, argv);
    row == "propagate" ? measure_round_trip(settings) : measure_items(settings);
    return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) {
    return muster::bench::main_of("bench_zmq", muster::bench::run, argc, argv);
}
