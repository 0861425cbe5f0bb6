#include "node/client/replies.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "node/client/number_runs.hpp"

namespace muster::client {
namespace {

template <class T, class Variant>
bool is(const Variant& variant) {
    return std::holds_alternative<T>(variant);
}

bool fits_query(const proto::Body& query, const proto::Body& reply) {
    if (is<proto::MembersRequest>(query)) return is<proto::MembersReply>(reply);
    if (is<proto::GroupsRequest>(query)) return is<proto::GroupsReply>(reply);
    if (is<proto::NodesRequest>(query)) return is<proto::NodesReply>(reply);
    if (proto::administers(query)) return is<proto::DoneReply>(reply);
    return is<proto::StatusReply>(reply);
}

template <class T>
void append(Request& request, std::vector<T>&& more) {
    if (!is<std::vector<T>>(request.parts)) request.parts = std::vector<T>{};
    auto& list = std::get<std::vector<T>>(request.parts);
    request.part_items += more.size();
    list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

bool fits(const Request& request, const proto::Body& reply) {
    const Purpose& purpose = request.purpose;
    if (is<proto::ErrorReply>(reply)) return true;
    if (is<JoinCall>(purpose) || is<Rejoin>(purpose)) {
        const auto* joined = std::get_if<proto::JoinReply>(&reply);
        const auto* again = std::get_if<proto::RejoinRequest>(&request.sent);
        return joined != nullptr && (again == nullptr || has_run_for_each(*again, *joined));
    }
    if (is<LeaveCall>(purpose) || is<UndoJoin>(purpose)) return is<proto::LeaveReply>(reply);
    if (is<NotifyCall>(purpose) || is<Repeat>(purpose)) return is<proto::NotifyReply>(reply);
    if (const auto* query = std::get_if<QueryCall>(&purpose)) return fits_query(query->request, reply);
    return is<proto::DoneReply>(reply);
}

bool take_part(Request& request, proto::Body& reply) {
    if (auto* members = std::get_if<proto::MembersReply>(&reply)) {
        append(request, std::move(members->members));
        return !members->last;
    }
    if (auto* groups = std::get_if<proto::GroupsReply>(&reply)) {
        append(request, std::move(groups->groups));
        return !groups->last;
    }
    return false;
}

std::optional<Reply> plain_answer(Request& request, proto::Body& reply) {
    if (auto* error = std::get_if<proto::ErrorReply>(&reply)) return Error{error->code, std::move(error->text)};
    if (auto* report = std::get_if<proto::NotifyReply>(&reply)) return std::move(report->report);
    if (auto* nodes = std::get_if<proto::NodesReply>(&reply)) return std::move(nodes->nodes);
    if (auto* status = std::get_if<proto::StatusReply>(&reply)) return std::move(status->status);
    if (is<proto::DoneReply>(reply)) return Done{};
    if (auto* groups = std::get_if<std::vector<GroupInfo>>(&request.parts); groups && is<proto::GroupsReply>(reply))
        std::sort(groups->begin(), groups->end(), [](const auto& a, const auto& b) { return a.group < b.group; });
    if (is<proto::MembersReply>(reply) || is<proto::GroupsReply>(reply)) return std::move(request.parts);
    return std::nullopt;
}

}  // namespace muster::client
