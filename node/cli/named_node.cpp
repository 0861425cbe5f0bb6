#include "node/cli/named_node.hpp"

#include <utility>

#include "node/io/address.hpp"

namespace muster::cli {

std::optional<Error> wrong_node(const std::string& node) {
    if (node.find(':') == std::string::npos && is_valid_name(node)) return std::nullopt;
    const auto address = node::parse_named_address(node::plain_address(node));
    if (address && node::parse_address(address->address)->port != 0) return std::nullopt;
    return Error{ErrorCode::bad_request, "'" + node + "' is not a node: give HOST:PORT, or a name of `muster nodes`"};
}

Result<std::string> address_of(const Settings& settings, const std::string& node) {
    if (node.find(':') != std::string::npos) return node;
    const auto worker = attach(settings);
    if (!worker) return worker.error();
    const auto nodes = (*worker)->nodes();
    if (!nodes) return nodes.error();
    for (const auto& known : *nodes)
        if (known.id.name == node && !known.address.empty()) return node + "@" + known.address;
    return Error{ErrorCode::bad_request,
                 "no node has the name '" + node + "': choose one that `muster nodes` lists, or give HOST:PORT"};
}

Result<std::unique_ptr<Worker>> attach_to(Settings settings, const std::string& address) {
    settings.nodes = address;
    settings.listed_only = true;
    return attach(settings);
}

}  // namespace muster::cli
