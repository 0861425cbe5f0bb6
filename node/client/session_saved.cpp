// A session that outlives its process: what is told to the state file, and
// going on with what an earlier process left in it.
#include <utility>

#include "node/client/session.hpp"

namespace muster::client {
namespace {

constexpr std::uint64_t kReserve = 4096;  // request numbers at a time

}  // namespace

// ---- going on --------------------------------------------------------------

/// What nobody was told the end of is brought to its end: leaves are done, joins are undone, watches end.
void Session::go_on() {
    auto& saved = options_.saved;
    token_ = saved.token;
    home_ = saved.home;
    node_ = saved.node;
    number_ = 1;
    last_taken_ = received_ = saved.received;
    stream_goes_on_ = true;
    reserved_ = saved.requests;
    unwatch_later_.assign(saved.watches.begin(), saved.watches.end());
    std::map<std::uint64_t, Request> unfinished;
    for (auto& [number, sent] : saved.unfinished) {
        Request request{{}, {}, QueryCall{}, sent, {}};
        if (const auto* join = std::get_if<proto::JoinRequest>(&sent)) {
            request.purpose = JoinCall{*join, nullptr};
        } else if (const auto* leave = std::get_if<proto::LeaveRequest>(&sent)) {
            unclaimed_.remove(leave->members);
            request.purpose = UndoJoin{leave->group, leave->members};
        } else if (const auto* unwatch = std::get_if<proto::UnwatchRequest>(&sent)) {
            std::erase(unwatch_later_, unwatch->watch);
            request.purpose = Unwatch{unwatch->watch};
        }
        unfinished.emplace(number, std::move(request));
    }
    requests_.go_on(std::move(unfinished), saved.requests);
    saved = {};
}

/// Whether this join was answered with members of an earlier process.
bool Session::claim(const Request& request) {
    const auto& join = std::get<JoinCall>(request.purpose);
    auto claimed = unclaimed_.claim(join.request);
    if (!claimed) return false;
    std::vector<proto::NumberRun> runs;
    for (const auto member : claimed->members) runs.push_back({member, 1});
    auto members = roster_.add({join.request.group, join.request.meta, join.handler, {}}, runs);
    answer(request.call, Joined{std::move(members), claimed->unseen});
    if (unclaimed_.empty()) claim_until_.reset();
    pass_on();
    return true;
}

void Session::leave_unclaimed() {
    claim_until_.reset();
    for (auto& join : unclaimed_.take_all())
        submit({{}, {}, UndoJoin{join.request.group, {join.members.begin(), join.members.end()}}, {}, {}});
    pass_on();
}

void Session::forget_unclaimed() {
    claim_until_.reset();
    stream_goes_on_ = false;
    (void)unclaimed_.take_all();
}

// ---- what is kept ----------------------------------------------------------

void Session::keep(const proto::Body& body, std::uint64_t number) {
    if (!options_.keeps) return;
    actions_.emplace_back(Keep{{{options_.scope, options_.name, token_.value, number}, body}, number_});
}

void Session::keep_welcome(const proto::Header& header) {
    if (!options_.keeps) return;
    reserved_ = 0;
    keep(proto::WorkerHello{}, 0);
    proto::WorkerWelcome welcome;
    welcome.token = token_;
    welcome.node = node_;
    welcome.nodes = {home_};
    actions_.emplace_back(Keep{{header, std::move(welcome)}, number_});
}

void Session::keep_goodbye() {
    keep(proto::WorkerGoodbye{}, 0);
}

void Session::reserve_number() {
    if (!options_.keeps || requests_.next_number() <= reserved_) return;
    reserved_ += kReserve;
    actions_.emplace_back(Reserve{reserved_});
}

}  // namespace muster::client
