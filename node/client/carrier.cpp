#include "node/client/carrier.hpp"

#include <utility>

#include "node/client/address_book.hpp"
#include "proto/limits.hpp"

namespace muster::client {
namespace {

constexpr int kFramesPerTurn = 64;
// Of one line. A node keeps at most 1024 items unacknowledged, and a session asks at most 1024 requests.
constexpr std::size_t kMostArrived = 8192;

}  // namespace

// ---- the connection ------------------------------------------------------------------

Carrier::Carrier(Reactor& reactor, std::shared_ptr<keys::Keyring> keys, std::shared_ptr<Connection::Tried> tried)
    : reactor_(reactor), connection_(reactor.context(), std::move(keys), std::move(tried)) {}

bool Carrier::open(const std::string& address, const std::string& endpoint) {
    if (!connection_.open(address, endpoint)) return false;
    const auto registration = std::make_shared<Reactor::Registration>(shared_from_this());
    registration_ = registration;
    reactor_.add(registration);
    for (const int fd : connection_.fds())
        if (!reactor_.listen(*registration, fd, Reactor::Ready::to_read)) return false;
    return true;
}

bool Carrier::takes_lines() const {
    return sharing_ != Sharing::no && !is_retired_ && next_line_ < limits::kLines;
}

std::uint64_t Carrier::add(Line& line) {
    lines_.emplace(next_line_, &line);
    return next_line_++;
}

void Carrier::remove(std::uint64_t number, bool given_up) {
    const auto self = shared_from_this();
    lines_.erase(number);
    is_retired_ = is_retired_ || given_up;
    if (sharing_ == Sharing::unknown && number == 0) send_away(false);
    if (lines_.empty()) {
        close(!given_up);
    } else if (!given_up) {
        flush();
    }
}

/// The lines that wait get other connections; each its own if they are to be `alone`.
void Carrier::send_away(bool alone) {
    for (const auto& [number, line] : Lines(lines_)) {
        if (number == 0) continue;
        lines_.erase(number);
        line->carrier_.reset();
        if (!line->join(alone)) line->is_broken_ = true;
        reactor_.wake(line->worker_);
    }
}

void Carrier::close(bool gently) {
    is_retired_ = true;
    flush();
    if (gently) {
        connection_.close_gently();
    } else {
        connection_.close();
    }
    wake();  // for the last turn
}

void Carrier::wake() {
    if (const auto registration = registration_.lock()) reactor_.wake(registration);
}

bool Carrier::send(std::uint64_t number, const proto::Message& message) {
    if (is_broken_) return false;
    if (next_line_ > 1 && sharing_ == Sharing::yes) {
        if (bundle_.empty()) wake();
        bundle_.add(number, message);
        if (bundle_.is_full()) flush();
        return !is_broken_;
    }
    frame_.clear();
    proto::encode(message, frame_);
    const bool sent = connection_.send(frame_);
    // Sending can consume the edge of ZeroMQ's descriptor that signalled input.
    if (connection_.has_input()) wake();
    return sent;
}

void Carrier::flush() {
    if (bundle_.empty()) return;
    frame_.clear();
    bundle_.finish(frame_);
    if (!connection_.send(frame_)) broke();
}

void Carrier::broke() {
    is_broken_ = is_retired_ = true;
    for (const auto& [number, line] : lines_) {
        line->is_broken_ = true;
        reactor_.wake(line->worker_);
    }
}

std::optional<Instant> Carrier::turn() {
    if (lines_.empty()) return std::nullopt;
    if (const auto registration = registration_.lock(); registration && registration->take_ready())
        connection_.signalled();
    receive();
    flush();
    return connection_.has_input() ? std::chrono::steady_clock::now() : Instant::max();
}

void Carrier::receive() {
    zmq::message_t frame;
    for (int i = 0; i < kFramesPerTurn && connection_.receive(frame); ++i) {
        if (frame.more()) continue;  // messages of the protocol have one part
        const std::string_view text(static_cast<const char*>(frame.data()), frame.size());
        if (!proto::is_bundle(text)) {
            take(0, proto::decode(text));
            continue;
        }
        auto bundle = proto::decode_bundle(text);
        if (!bundle) return broke();
        for (auto& part : *bundle) take(part.line, std::move(part.message));
    }
}

void Carrier::take(std::uint64_t number, proto::Decoded&& message) {
    const auto found = lines_.find(number);
    if (found == lines_.end()) return;  // the worker has left it
    Line& line = *found->second;
    if (message && number == 0)
        if (const auto* welcome = std::get_if<proto::WorkerWelcome>(&message->body))
            learn(welcome->takes_bundles ? Sharing::yes : Sharing::no);
    if (line.is_deaf_) return;
    if (line.arrived_.size() == kMostArrived) {
        line.is_broken_ = true;
        line.arrived_.clear();
    }
    if (line.is_broken_) return;
    line.peer_ = connection_.peer();
    if (line.arrived_.empty()) reactor_.wake(line.worker_);
    line.arrived_.push_back(std::move(message));
}

void Carrier::learn(Sharing sharing) {
    if (sharing_ != Sharing::unknown) return;
    sharing_ = sharing;
    if (sharing == Sharing::no) return send_away(true);
    for (const auto& [number, line] : lines_)
        for (const auto& message : std::exchange(line->held_, {})) send(number, message);
}

// ---- a line --------------------------------------------------------------------------

/// Who shares a connection must have the same key, and would take the same nodes for the one at its other end.
std::string Line::target() const {
    std::string text = endpoint_;
    if (!keys_) return text;
    const auto add = [&](const keys::PublicKey& key) { text.append(key.begin(), key.end()); };
    add(keys_->own()->public_key());
    for (const auto& node : keys_->node_keys(std::string(node_name_of(address_)))) add(node.key);
    return text;
}

bool Line::open(const std::string& address, const std::string& endpoint) {
    close();
    address_ = address;
    endpoint_ = endpoint;
    if (keys_) keys_->reload_if_changed();
    return join(false);
}

bool Line::join(bool alone) {
    auto& known = reactor_.carriers();
    auto wanted = target();
    const auto found = known.find(wanted);
    auto carrier = found == known.end() ? nullptr : found->second.lock();
    const bool refuses = carrier && carrier->sharing_ == Carrier::Sharing::no;
    if (alone || !carrier || !carrier->takes_lines()) {
        carrier = std::make_shared<Carrier>(reactor_, keys_, tried_);
        if (!carrier->open(address_, endpoint_)) return false;
        if (!alone && !refuses) {
            std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
            known[std::move(wanted)] = carrier;
        }
    }
    carrier_ = std::move(carrier);
    number_ = carrier_->add(*this);
    is_broken_ = false;
    for (const auto& message : std::exchange(held_, {})) send(message);
    return true;
}

bool Line::send(const proto::Message& message) {
    if (!carrier_ || is_broken_) return false;
    if (number_ != 0 && carrier_->sharing_ == Carrier::Sharing::unknown) {
        held_.push_back(message);
        return true;
    }
    return carrier_->send(number_, message);
}

bool Line::receive(proto::Decoded& message) {
    if (arrived_.empty()) return false;
    message = std::move(arrived_.front());
    arrived_.pop_front();
    return true;
}

void Line::close_gently() {
    leave(false);
}

void Line::leave(bool given_up) {
    held_.clear();
    arrived_.clear();
    is_broken_ = is_deaf_ = false;
    if (const auto left = std::exchange(carrier_, nullptr)) left->remove(number_, given_up);
}

void Line::hand_over(Line& to) {
    to.close();
    if (!carrier_) return;
    to.carrier_ = std::move(carrier_);
    to.number_ = number_;
    to.is_deaf_ = true;
    to.is_broken_ = is_broken_;
    to.carrier_->lines_[number_] = &to;
    leave(false);
}

}  // namespace muster::client
