#include "node/client/outbox.hpp"

#include <utility>

#include "node/client/saved_session.hpp"

namespace muster::client {
namespace {

constexpr std::uint64_t kReserve = 4096;  // request numbers at a time

}  // namespace

Outbox::Outbox(std::string scope, std::string worker, bool keeps, std::uint64_t life)
    : scope_(std::move(scope)), worker_(std::move(worker)), keeps_(keeps), life_(life) {}

void Outbox::continue_session(SessionToken token, std::uint64_t reserved) {
    token_ = token;
    session_ = 1;
    reserved_ = reserved;
}

void Outbox::begin_session(const proto::Header& header, SessionToken token, const NodeInfo& node,
                           const std::string& home) {
    token_ = token;
    ++session_;
    reserved_ = 0;
    if (!keeps_) return;
    keep(proto::WorkerHello{}, 0);
    proto::WorkerWelcome welcome;
    welcome.token = token;
    welcome.node = node;
    welcome.nodes = {home};
    add(Keep{{header, std::move(welcome)}, session_});
}

void Outbox::end_session() {
    keep(proto::WorkerGoodbye{}, 0);
}

void Outbox::send_hello(bool resume, std::uint64_t handled) {
    proto::WorkerHello hello{{}, 0, life_};
    if (resume) hello = {token_, handled, life_};
    add(Send{{{scope_, worker_, hello.token.value, 0}, hello}});
}

void Outbox::send(proto::Body body) {
    add(Send{message(std::move(body), 0)});
}

void Outbox::send_old(SessionToken token, proto::Body body) {
    add(SendOld{{{scope_, worker_, token.value, 0}, std::move(body)}});
}

void Outbox::send_request(const proto::Body& request, std::uint64_t number) {
    reserve(number);
    if (is_remembered(request)) keep(request, number);
    repeat_request(request, number);
}

void Outbox::repeat_request(const proto::Body& request, std::uint64_t number) {
    add(Send{message(request, number)});
}

void Outbox::keep_reply(const proto::Body& reply, std::uint64_t number) {
    keep(reply, number);
}

void Outbox::answer(CallId call, Reply reply) {
    if (call) add(Answer{call, std::move(reply)});
}

void Outbox::announce(bool attached, std::string text) {
    add(Item{0, 0, Attachment{attached, std::move(text)}});
}

proto::Message Outbox::message(proto::Body body, std::uint64_t number) const {
    return {{scope_, worker_, token_.value, number}, std::move(body)};
}

void Outbox::keep(const proto::Body& body, std::uint64_t number) {
    if (keeps_) add(Keep{message(body, number), session_});
}

void Outbox::reserve(std::uint64_t number) {
    if (!keeps_ || number <= reserved_) return;
    reserved_ += kReserve;
    add(Reserve{reserved_});
}

}  // namespace muster::client
