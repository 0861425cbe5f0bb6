// Links the worker's library, and shows that it works as far as it can without a node.
#include <muster/worker.hpp>

#include <cstdio>
#include <string>

int main() {
    const auto worker = muster::Worker::connect({.nodes = {"not an address"}});
    if (worker || worker.error().code != muster::ErrorCode::bad_request) return std::puts("this address was taken"), 1;
    return to_string(muster::group_key("orders", "subscriptions")).size() == 16 ? 0 : 1;
}
