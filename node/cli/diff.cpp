#include <algorithm>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/io/address.hpp"

namespace muster::cli {
namespace {

using Table = std::map<Group, std::set<MemberId>>;

constexpr auto kSnapshotTimeout = std::chrono::seconds(30);

/// A snapshot of a node's whole table.
Result<Table> table_of(const Settings& settings, const std::string& address) {
    Settings there = settings;
    there.nodes = address;
    there.listed_only = true;  // another node's table may be equal
    const auto worker = attach(there);
    if (!worker) return worker.error();

    // Shared with the handler, which may still run after the time-out.
    const auto snapshot = std::make_shared<std::promise<Table>>();
    auto taken = snapshot->get_future();
    bool first = true;
    const auto watching = (*worker)->watch_all([snapshot, first](const WatchEvent& event) mutable {
        if (!std::exchange(first, false)) return;
        Table table;
        for (const auto& [group, members] : event.groups)
            for (const auto& member : members) table[group].insert(member.id);
        snapshot->set_value(std::move(table));
    });
    if (!watching) return watching.error();
    if (taken.wait_for(kSnapshotTimeout) != std::future_status::ready)
        return Error{ErrorCode::timeout, "no snapshot from " + address + " within 30 s: check the log of that node"};
    return taken.get();
}

/// Members that are in `a` but not in `b`.
Table missing(const Table& a, const Table& b) {
    Table only;
    for (const auto& [group, members] : a) {
        const auto other = b.find(group);
        for (const auto& id : members)
            if (other == b.end() || !other->second.contains(id)) only[group].insert(id);
    }
    return only;
}

Json json_of(const Table& table) {
    Json list = Json::array();
    for (const auto& [group, members] : table)
        list.push_back({{"store", group.store},
                        {"feature", group.feature},
                        {"members", ids_of(std::vector<MemberId>(members.begin(), members.end()))}});
    return list;
}

void print_only(const std::string& node, const Table& table) {
    for (const auto& [group, members] : table)
        for (const auto& id : members) print("only " + node + ": " + name_of(group) + ' ' + to_string(id));
}

/// Returns an address unchanged. Otherwise `node` is a name, and the node of --node is asked for its address: another
/// one may be there now.
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

/// Before any node is asked.
std::optional<Error> wrong_node(const std::string& node) {
    if (node.find(':') == std::string::npos && is_valid_name(node)) return std::nullopt;
    const auto address = node::parse_named_address(node::plain_address(node));
    if (address && node::parse_address(address->address)->port != 0) return std::nullopt;
    return Error{ErrorCode::bad_request, "'" + node + "' is not a node: give HOST:PORT, or a name of `muster nodes`"};
}

}  // namespace

int diff(const Settings& settings, const std::string& a, const std::string& b) {
    for (const auto& node : {a, b})
        if (const auto error = wrong_node(node)) return fail(*error);
    const auto address_a = address_of(settings, a);
    if (!address_a) return fail(address_a.error());
    const auto address_b = address_of(settings, b);
    if (!address_b) return fail(address_b.error());
    const auto table_a = table_of(settings, *address_a);
    if (!table_a) return fail(table_a.error());
    const auto table_b = table_of(settings, *address_b);
    if (!table_b) return fail(table_b.error());

    const Table only_a = missing(*table_a, *table_b);
    const Table only_b = missing(*table_b, *table_a);
    const bool equal = only_a.empty() && only_b.empty();
    if (settings.json) {
        print_json(Json{{"equal", equal}, {"only_a", json_of(only_a)}, {"only_b", json_of(only_b)}});
    } else {
        print_only(a, only_a);
        print_only(b, only_b);
        if (equal) print("equal");
    }
    return equal ? kDone : kRefused;
}

}  // namespace muster::cli
