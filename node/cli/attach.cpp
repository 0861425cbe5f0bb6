#include <cstdlib>
#include <thread>
#include <utility>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/io/address.hpp"

namespace muster::cli {

int fail(const Error& error) {
    complain(error.text);
    switch (error.code) {
        case ErrorCode::bad_request:
            return kUsage;
        case ErrorCode::unreachable:
            return kUnreachable;
        case ErrorCode::timeout:
            return kTimeout;
        default:
            return kRefused;
    }
}

int end(Worker& worker, int status) {
    std::thread([] {
        std::this_thread::sleep_for(kLastLines);
        complain("nobody reads standard output: ended without the last lines");
        std::_Exit(kRefused);
    }).detach();
    worker.close();  // waits for handlers, so nothing is printed afterwards
    return status;
}

Result<std::unique_ptr<Worker>> attach(const Settings& settings, Worker::Options options) {
    options.nodes = node::split_addresses(settings.nodes);
    options.in_order = settings.in_order;
    options.scope = settings.scope;
    options.key_file = settings.key;
    options.keys_dir = settings.keys;
    return Worker::connect(std::move(options));
}

}  // namespace muster::cli
