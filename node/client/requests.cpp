#include "node/client/requests.hpp"

#include <algorithm>
#include <iterator>
#include <type_traits>

namespace muster::client {
namespace {

std::size_t data_bytes(const Request& request) {
    const auto* notify = std::get_if<NotifyCall>(&request.purpose);
    if (notify == nullptr) return 0;
    const auto* sent = std::get_if<proto::NotifyRequest>(&request.sent);
    return (sent == nullptr ? notify->request : *sent).data.msgpack.size();
}

bool is_users(const Request& request) {
    return request.purpose.index() <= 4;
}
static_assert(std::is_same_v<std::variant_alternative_t<4, Purpose>, WatchCall>);

bool is_repeat(const Request& request) {
    const auto* notify = std::get_if<NotifyCall>(&request.purpose);
    return (notify != nullptr && notify->was_sent) || std::holds_alternative<Repeat>(request.purpose);
}

}  // namespace

bool Requests::hold(Request request) {
    const auto bytes = data_bytes(request);
    if (calls_ == kMost || bytes > kMostBytes - bytes_) return false;
    ++calls_;
    bytes_ += bytes;
    deadlines_.emplace(request.deadline, request.call);
    held_.push_back(std::move(request));
    return true;
}

std::optional<Request> Requests::next_held() {
    if (held_.empty()) return std::nullopt;
    auto request = std::move(held_.front());
    held_.pop_front();
    release(request);
    return request;
}

std::uint64_t Requests::in_flight(Request request) {
    if (is_users(request)) {
        ++calls_;
        bytes_ += data_bytes(request);
        if (request.call) deadlines_.emplace(request.deadline, request.call);
    }
    in_flight_.emplace(++last_number_, std::move(request));
    return last_number_;
}

void Requests::continue_session(std::map<std::uint64_t, Request> requests, std::uint64_t last) {
    for (const auto& [number, request] : requests)
        if (is_users(request)) ++calls_;
    in_flight_ = std::move(requests);
    last_number_ = last;
}

void Requests::release(const Request& request) {
    if (!is_users(request)) return;
    --calls_;
    bytes_ -= data_bytes(request);
    deadlines_.erase({request.deadline, request.call});
}

Request* Requests::find(std::uint64_t number) {
    const auto found = in_flight_.find(number);
    return found == in_flight_.end() ? nullptr : &found->second;
}

std::optional<Request> Requests::take(std::uint64_t number) {
    const auto found = in_flight_.find(number);
    if (found == in_flight_.end()) return std::nullopt;
    auto request = std::move(found->second);
    in_flight_.erase(found);
    release(request);
    return request;
}

bool Requests::is_held(Watch watch) const {
    return std::any_of(held_.begin(), held_.end(), [&](const Request& request) {
        const auto* call = std::get_if<WatchCall>(&request.purpose);
        return call != nullptr && call->watch == watch;
    });
}

bool Requests::joining(const Group& group) const {
    return std::any_of(in_flight_.begin(), in_flight_.end(), [&](const auto& entry) {
        const auto& purpose = entry.second.purpose;
        if (const auto* join = std::get_if<JoinCall>(&purpose)) return join->request.group == group;
        const auto* again = std::get_if<Rejoin>(&purpose);
        return again != nullptr && again->group == group;
    });
}

std::vector<Requests::Expired> Requests::expire(Instant now) {
    std::vector<Expired> expired;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const CallId call = deadlines_.begin()->second;
        const auto is_it = [&](const Request& request) { return request.call == call; };
        const auto held = std::find_if(held_.begin(), held_.end(), is_it);
        if (held != held_.end()) {
            const bool was_sent = is_repeat(*held);
            release(*held);
            if (was_sent)
                *held = {{}, {}, Repeat{std::move(std::get<NotifyCall>(held->purpose).request)}, {}, {}};
            else
                held_.erase(held);
            expired.push_back({call, was_sent});
            continue;
        }
        deadlines_.erase(deadlines_.begin());
        for (auto& [number, request] : in_flight_)
            if (is_it(request)) request.call = {};
        expired.push_back({call, true});
    }
    return expired;
}

Instant Requests::next_deadline() const {
    return deadlines_.empty() ? Instant::max() : deadlines_.begin()->first;
}

std::vector<Request> Requests::session_ended() {
    std::vector<Request> list;
    for (auto& [number, request] : in_flight_) {
        release(request);
        list.push_back(std::move(request));
    }
    in_flight_.clear();
    last_number_ = 0;
    return list;
}

std::vector<Request> Requests::take_held_repeats() {
    std::vector<Request> list;
    for (auto& request : held_) {
        if (!is_repeat(request)) continue;
        release(request);
        list.push_back(std::move(request));
    }
    std::erase_if(held_, is_repeat);
    return list;
}

void Requests::hold_first(std::vector<Request> requests) {
    for (const auto& request : requests) {
        if (!is_users(request)) continue;
        ++calls_;
        bytes_ += data_bytes(request);
        deadlines_.emplace(request.deadline, request.call);
    }
    held_.insert(held_.begin(), std::make_move_iterator(requests.begin()), std::make_move_iterator(requests.end()));
}

std::vector<CallId> Requests::close() {
    std::vector<CallId> waiting;
    for (const auto& [deadline, call] : deadlines_) waiting.push_back(call);
    in_flight_.clear();
    held_.clear();
    deadlines_.clear();
    calls_ = bytes_ = 0;
    return waiting;
}

}  // namespace muster::client
