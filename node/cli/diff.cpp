#include <algorithm>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "node/cli/commands.hpp"
#include "node/cli/named_node.hpp"
#include "node/cli/output.hpp"

namespace muster::cli {
namespace {

using Table = std::map<Group, std::set<MemberId>>;

constexpr auto kSnapshotTimeout = std::chrono::seconds(30);

/// A snapshot of a node's whole table.
Result<Table> table_of(const Settings& settings, const std::string& address) {
    const auto worker = attach_to(settings, address);
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
