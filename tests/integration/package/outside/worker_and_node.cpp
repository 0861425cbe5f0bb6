// What a user's first program does: a node, a worker attached to it, a notification between them.
#include <muster/node.hpp>
#include <muster/worker.hpp>

#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <string>

namespace {

template <class T>
T must(muster::Result<T> result, const char* what) {
    if (result.ok()) return std::move(result).value();
    std::cerr << what << ": " << result.error().text << '\n';
    std::exit(1);
}

}  // namespace

int main() {
    const auto node = must(muster::Node::start({.name = "outside", .listen = "127.0.0.1:0"}), "start");
    if (!node->wait_ready(std::chrono::seconds(10))) {
        std::cerr << "the node did not become ready\n";
        return 1;
    }
    const auto worker = must(muster::Worker::connect({.nodes = {node->address()}, .name = "w"}), "connect");

    const muster::Group group{"orders", std::string(muster::kSubscriptions)};
    std::promise<std::string> heard;
    const auto joined = must(worker->join(group,
                                          [&](const muster::Notification& notification) {
                                              heard.set_value(muster::to_json(notification.data));
                                          }),
                             "join");
    const auto data = must(muster::data_from_json(R"({"id":7})"), "data");
    const auto report = must(node->notify_created(group, data, {.wait = true}), "notify");
    const auto text = heard.get_future().get();
    std::cout << muster::to_string(joined.members.at(0)) << " heard " << text << '\n';
    const bool right = text == R"({"id":7})" && report.matched == 1 && report.delivered == 1 && report.missed.empty();
    return right ? 0 : 1;
}
