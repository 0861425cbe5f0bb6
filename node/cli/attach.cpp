#include <sstream>
#include <utility>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"

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

Result<std::unique_ptr<Worker>> attach(const Settings& settings, Worker::Options options) {
    std::istringstream list(settings.nodes);
    for (std::string address; std::getline(list, address, ',');)
        if (!address.empty()) options.nodes.push_back(std::move(address));
    options.scope = settings.scope;
    options.key_file = settings.key;
    options.keys_dir = settings.keys;
    return Worker::connect(std::move(options));
}

}  // namespace muster::cli
