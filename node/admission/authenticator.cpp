#include "node/admission/authenticator.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string_view>

#include "node/io/clock.hpp"
#include "node/io/signals_blocked.hpp"
#include "node/io/zmq_io.hpp"

namespace muster::node {
namespace {

constexpr const char* kZap = "inproc://zeromq.zap.01";
constexpr std::size_t kZapFrames = 7;  // version, request, domain, address, routing id, mechanism, key
constexpr std::size_t kMaxFrames = 16;
constexpr auto kCheckFilesEvery = std::chrono::seconds(1);

/// Appends a ZMTP property (RFC 23): name and value, each preceded by its length.
void add_property(std::string& to, std::string_view name, std::string_view value) {
    to += static_cast<char>(name.size());
    to += name;
    for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value.size() >> shift & 0xff);
    to += value;
}

std::vector<zmq::message_t> receive_all(zmq::socket_t& socket) {
    std::vector<zmq::message_t> frames;
    for (bool more = true; more;) {
        zmq::message_t frame;
        if (!receive(socket, frame)) break;
        more = frame.more();
        if (frames.size() < kMaxFrames) frames.push_back(std::move(frame));
    }
    return frames;
}

}  // namespace

std::vector<LogLine> key_lines(const keys::Keyring::Changes& changes) {
    std::vector<LogLine> lines;
    if (changes.problems.empty() || !changes.none()) {
        const auto what = keys::to_string(changes);
        lines.push_back({1, "keys_read", "keys were read again: " + what, {{"detail", what}}});
    }
    if (!changes.problems.empty()) {
        const auto what = keys::text_of(changes.problems);
        lines.push_back({3, "keys_broken", "some keys stay as they were: " + what, {{"detail", what}}});
    }
    return lines;
}

Authenticator::Authenticator(zmq::context_t& context, std::shared_ptr<keys::Keyring> keys, NodeCounters& counters,
                             std::shared_ptr<Wakeup> loop, OnNodeKey on_node_key)
    : keys_(std::move(keys)), counters_(counters), loop_(std::move(loop)), on_node_key_(std::move(on_node_key)) {
    zmq::socket_t zap(context, zmq::socket_type::rep);
    zap.set(zmq::sockopt::linger, 0);
    zap.bind(kZap);
    const SignalsBlocked blocked;
    thread_ = std::thread([this, socket = std::move(zap)]() mutable { run(std::move(socket)); });
}

Authenticator::~Authenticator() {
    stop_ = true;
    stop_wakeup_.notify();
    thread_.join();
}

std::vector<LogLine> Authenticator::take_log_lines() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
}

void Authenticator::run(zmq::socket_t zap) noexcept {
    try {
        serve(zap);
    } catch (const std::exception& error) {
        std::fprintf(
            stderr,
            "muster: the authenticator failed (%s): aborting, because without it libzmq would admit every client\n",
            error.what());
        std::abort();
    }
}

void Authenticator::serve(zmq::socket_t& zap) {
    std::vector<zmq::pollitem_t> items;
    auto check_at = now() + kCheckFilesEvery;
    while (!stop_) {
        items.assign({{nullptr, stop_wakeup_.fd(), ZMQ_POLLIN, 0}, {zap.handle(), 0, ZMQ_POLLIN, 0}});
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(check_at - now());
        const auto patience = static_cast<long>(std::max(wait.count(), std::chrono::milliseconds::rep{0}));
        if (::zmq_poll(items.data(), static_cast<int>(items.size()), patience) < 0 && ::zmq_errno() != EINTR)
            throw std::runtime_error(::zmq_strerror(::zmq_errno()));
        if (items[0].revents != 0) stop_wakeup_.clear();
        answer(zap);
        if (now() < check_at) continue;
        check_at = now() + kCheckFilesEvery;
        reload_changed_files();
    }
}

void Authenticator::answer(zmq::socket_t& zap) {
    for (;;) {
        const auto request = receive_all(zap);
        if (request.empty()) return;
        const auto identity = admitted(request);
        std::string properties;
        if (identity)
            add_property(properties, kKeyProperty,
                         keys::to_z85(*keys::public_key_from(text_of(request[kZapFrames - 1]))));
        const std::string user = identity ? keys::to_string(*identity) : std::string();
        const std::string_view number = request.size() > 1 ? text_of(request[1]) : std::string_view{};
        send(zap, "1.0", true);
        send(zap, number, true);
        send(zap, identity ? "200" : "400", true);
        send(zap, identity ? "OK" : "this key may not connect here", true);
        send(zap, user, true);
        send(zap, properties);
    }
}

std::optional<keys::Identity> Authenticator::admitted(const std::vector<zmq::message_t>& request) {
    const auto key = request.size() == kZapFrames && text_of(request[0]) == "1.0" && text_of(request[5]) == "CURVE"
                         ? keys::public_key_from(text_of(request[kZapFrames - 1]))
                         : std::nullopt;
    auto identity = key ? keys_->find(*key) : std::nullopt;
    if (!identity) {
        counters_.refused(Refusal::unknown_key);
        return std::nullopt;
    }
    if (identity->role != keys::Role::node && text_of(request[2]) != kAllRoles) {
        counters_.refused(Refusal::wrong_role);
        return std::nullopt;
    }
    if (identity->role == keys::Role::node) on_node_key_(identity->name, *key);
    return identity;
}

void Authenticator::reload_changed_files() {
    const auto changes = keys_->reload_if_changed();
    if (!changes) return;
    counters_.keys_stale(keys_->stale());
    {
        const std::lock_guard lock(mutex_);
        for (auto& line : key_lines(*changes)) lines_.push_back(std::move(line));
    }
    loop_->notify();
}

}  // namespace muster::node
