#include "tests/fuzz/dream.hpp"

#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace muster::fuzz {
namespace {

constexpr std::size_t kTypes = 82;  // numbers on the wire, with room for some more

/// A body of the type with the highest number up to `type`, so that kept inputs mean the same when others are added.
template <std::size_t... I>
proto::Body empty_body(std::uint64_t type, std::index_sequence<I...>) {
    std::uint64_t nearest = 0;
    const auto look_at = [&](std::uint64_t one) {
        if (one <= type) nearest = std::max(nearest, one);
    };
    (look_at(proto::kType<std::variant_alternative_t<I, proto::Body>>), ...);
    proto::Body body;
    const auto make = [&]<std::size_t N>() {
        if (proto::kType<std::variant_alternative_t<N, proto::Body>> == nearest) body.emplace<N>();
    };
    (make.template operator()<I>(), ...);
    return body;
}

}  // namespace

proto::Body Dream::body() {
    constexpr auto kAll = std::make_index_sequence<std::variant_size_v<proto::Body>>{};
    proto::Body body = empty_body(1 + input_.below(kTypes), kAll);
    std::visit([this](auto& one) { put(one); }, body);
    return body;
}

proto::Message Dream::message() {
    proto::Message message;
    auto& header = message.header;
    const NodeId from = one<NodeId>();
    const bool is_worker = input_.flag();
    header.scope = input_.pick(words_.scopes);
    header.origin = is_worker ? input_.pick(words_.workers) : from.name;
    header.incarnation = is_worker ? input_.pick(words_.tokens).value : from.incarnation.value;
    header.seq = input_.number();
    message.body = body();
    return message;
}

void Dream::put(const proto::Bytes& to) {
    to.text.clear();
    if (++depth_ < kDeepest && input_.flag())
        to.text = proto::encode(message());
    else
        to.text = input_.bytes(input_.below(16));
    if (to.text.size() > to.limit) to.text.resize(to.limit);
    --depth_;
}

void Dream::put(proto::Sealed& to) {
    (void)proto::fields(*this, to);
    if (++depth_ < kDeepest) {
        const auto inner = message();
        to.message = proto::encode(inner);
        if (words_.seal) words_.seal(inner.header.origin, to);
    }
    --depth_;
}

void Dream::make_sound(MemberNumber& first, std::uint64_t& count) {
    first.value = std::max<std::uint64_t>(first.value, 1);
    count = std::clamp<std::uint64_t>(count, 1, limits::kMembersPerCall);
    if (first.value > UINT64_MAX - count) first.value = UINT64_MAX - count;
}

void Dream::put(proto::LinkItem& to) {
    switch (input_.below(5)) {
        case 0:
            return put(to.emplace<proto::NoticeReport>());
        case 2:
            return put(to.emplace<proto::Replay>());
        case 1:
            return put(to.emplace<proto::NoticesLost>());
        default:
            return put(to.emplace<proto::SharedNotice>());
    }
}

void Dream::put(proto::Delivery& to) {
    auto notice = one<proto::Notice>();
    notice.ticket = notice.wait_ms = 0;  // what does not go over the wire with a delivery
    notice.newest = {};
    to.notice = proto::SharedNotice(std::move(notice));
    to.members = std::make_shared<const std::vector<MemberNumber>>(one<std::vector<MemberNumber>>());
}

std::size_t Dream::length() {
    const std::uint8_t kind = input_.byte();
    return kind < 250 ? kind % 4 : kind - 240u;
}

}  // namespace muster::fuzz
