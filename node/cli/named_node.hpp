// Nodes that a user names: by an address, or by a name that `muster nodes` lists.
#pragma once

#include <muster/result.hpp>

#include <optional>
#include <string>

#include "node/cli/commands.hpp"

namespace muster::cli {

/// An error if `node` is neither an address nor a name. Asks no node.
std::optional<Error> wrong_node(const std::string& node);

/// Returns an address unchanged. Otherwise `node` is a name, and the node of --node is asked for its address: another
/// one may be there now. Errors: bad_request; as attach.
Result<std::string> address_of(const Settings& settings, const std::string& node);

/// Connects to that node, or to one of several addresses, and to no other: another one would answer for itself.
Result<std::unique_ptr<Worker>> attach_to(Settings settings, const std::string& address);

}  // namespace muster::cli
