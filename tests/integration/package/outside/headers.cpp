// The client's headers stand alone, and its library links without the node's.
#include <muster/worker.hpp>

#include <cstdio>

int main() {
    const auto worker = muster::Worker::connect({.nodes = {}});
    if (worker.ok() || worker.error().code != muster::ErrorCode::bad_request) {
        std::puts("connect to no node at all must be a bad request");
        return 1;
    }
    return muster::to_string(muster::group_key("orders", "subscriptions")) == "1085586f4d1b2aa0" ? 0 : 1;
}
