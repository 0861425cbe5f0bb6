// Commands that send one query and print the answer.
#include "node/cli/commands.hpp"
#include "node/cli/named_node.hpp"
#include "node/cli/output.hpp"
#include "proto/validate.hpp"

namespace muster::cli {
namespace {

template <class Ask, class Show>
int query(const Settings& settings, Ask ask, Show show) {
    const auto worker = attach_to(settings, settings.nodes);
    if (!worker) return fail(worker.error());
    const auto answer = ask(**worker);
    if (!answer) return fail(answer.error());
    show(*answer);
    return kDone;
}

void print_status(const Status& status) {
    std::vector<std::vector<std::string>> rows = {
        {"node", status.node.id.name + '/' + std::to_string(status.node.id.incarnation.value)},
        {"address", status.node.address},
        {"scope", status.scope},
        {"state", state_of(status.node) + (status.ready ? ", ready" : ", not ready")},
        {"seq", std::to_string(status.seq)},
        {"groups", std::to_string(status.groups)},
        {"members", std::to_string(status.members)},
        {"workers", std::to_string(status.workers)},
        {"security", std::string(security_of(status))}};
    for (const auto& channel : status.silent_channels) rows.push_back({"nothing arrives", channel});
    for (const auto& [name, value] : status.counters) rows.push_back({name, std::to_string(value)});
    print_table(rows);
}

Json json_of_status(const Status& status) {
    Json object = json_of(status.node);
    object["scope"] = status.scope;
    object["ready"] = status.ready;
    object["seq"] = status.seq;
    object["groups"] = status.groups;
    object["members"] = status.members;
    object["security"] = security_of(status);
    object["silent_channels"] = status.silent_channels;
    object["counters"] = Json::object();
    for (const auto& [name, value] : status.counters) object["counters"][name] = value;
    return object;
}

std::string text_of(const Meta& meta) {
    std::string text;
    for (const auto& [key, value] : meta) text.append(text.empty() ? "" : " ").append(key).append("=").append(value);
    return text;
}

}  // namespace

int show_nodes(const Settings& settings) {
    return query(
        settings, [](Worker& worker) { return worker.nodes(); },
        [&](const std::vector<NodeInfo>& nodes) {
            Json list = Json::array();
            std::vector<std::vector<std::string>> rows = {{"NODE", "STATE", "WORKERS", "ADDRESS", "INCARNATION"}};
            for (const auto& node : nodes) {
                list.push_back(json_of(node));
                rows.push_back({node.id.name, state_of(node), std::to_string(node.workers), node.address,
                                std::to_string(node.id.incarnation.value)});
            }
            settings.json ? print_json(Json{{"nodes", list}}) : print_table(rows);
        });
}

int forget(const Settings& settings, const std::string& node) {
    return query(
        settings, [&](Worker& worker) { return worker.forget(node); },
        [&](const Done&) {
            settings.json ? print_json(Json{{"forgotten", node}}) : print("forgotten: " + node);
        });
}

int show_groups(const Settings& settings) {
    return query(
        settings, [](Worker& worker) { return worker.groups(); },
        [&](const std::vector<GroupInfo>& groups) {
            Json list = Json::array();
            std::vector<std::vector<std::string>> rows = {{"STORE", "FEATURE", "KEY", "MEMBERS"}};
            for (const auto& [group, members] : groups) {
                list.push_back(json_of(group));
                list.back()["members"] = members;
                rows.push_back({group.store, group.feature, to_string(group_key(group)), std::to_string(members)});
            }
            settings.json ? print_json(Json{{"groups", list}}) : print_table(rows);
        });
}

int show_status(const Settings& settings) {
    return query(
        settings, [](Worker& worker) { return worker.status(); },
        [&](const Status& status) { settings.json ? print_json(json_of_status(status)) : print_status(status); });
}

int show_members(const Settings& settings, const Group& group, bool local) {
    const auto ask = [&](Worker& worker) { return local ? worker.local_members(group) : worker.members(group); };
    return query(settings, ask, [&](const Members& members) {
        if (settings.json) return print_json(json_of(GroupMembers{group, {members.begin(), members.end()}}));
        std::vector<std::vector<std::string>> rows = {{"MEMBER", "WORKER", "META"}};
        for (const auto& member : members) rows.push_back({to_string(member.id), member.worker, text_of(member.meta)});
        print_table(rows);
    });
}

int show_key(const Settings& settings, const Group& group) {
    if (const auto why = proto::why_invalid(group); !why.empty()) return fail({ErrorCode::bad_request, why});
    settings.json ? print_json(json_of(group)) : print(to_string(group_key(group)));
    return kDone;
}

}  // namespace muster::cli
