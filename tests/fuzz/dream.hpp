// Messages that anybody may send: well formed, whatever they say.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "proto/codec_fields.hpp"
#include "proto/messages.hpp"
#include "tests/fuzz/input.hpp"

namespace muster::fuzz {

/// What messages speak of, so that they concern somebody. No list is empty.
struct Words {
    std::vector<NodeId> nodes{{"a", Incarnation{1}}};
    std::vector<std::string> workers{"w1", "w2", "w3"};
    std::vector<std::string> addresses{"a:door", "b:door", "c:door", "d:door"};
    std::vector<std::string> scopes{"default"};
    std::vector<Group> groups{{"orders", "subscriptions"}, {"orders", "streams"}, {"s", "f"}, {"\xc3\xa9", "0"}};
    std::vector<std::string> data{"\xc0", "\x07", std::string("\x82\xa2id\x07\xa4name\xa3x-1")};
    std::vector<SessionToken> tokens{SessionToken{0}};
    /// Sign as whoever speaks can; without them nothing is signed.
    std::function<void(proto::PeerRecord&)> prove{};
    std::function<void(const std::string& origin, proto::Sealed&)> seal{};
};

/// Fills the fields of any message within the limits of the protocol, as the codec does from a frame.
class Dream {
public:
    Dream(Input& input, const Words& words) : input_(input), words_(words) {}

    template <class... Fields>
    bool operator()(Fields&&... parts) {
        (put(parts), ...);
        return true;
    }

    proto::Body body();
    proto::Message message();
    /// As fields() does, for a message or a part of one.
    template <class T>
    T one() {
        T value;
        put(value);
        return value;
    }

private:
    static constexpr std::size_t kDeepest = 6;

    void put(std::uint64_t& to) { to = input_.number(); }
    void put(bool& to) { to = input_.flag(); }
    template <class Tag>
    void put(StrongId<Tag>& to) {
        to.value = input_.number();
    }
    void put(SessionToken& to) { to = input_.pick(words_.tokens); }
    void put(NodeId& to) {
        to = input_.pick(words_.nodes);
        const std::uint8_t other = input_.byte();
        if (other >= 240) to.incarnation.value += other - 247u;
    }
    void put(const proto::NodeName& to) { to.text = input_.pick(words_.nodes).name; }
    void put(const proto::WorkerName& to) { to.text = input_.flag() ? input_.pick(words_.workers) : std::string(); }
    void put(const proto::Address& to) { put(to.text); }
    void put(std::string& address) {
        const std::size_t which = input_.below(words_.addresses.size() + 1);
        address = which == 0 ? std::string() : words_.addresses[which - 1];
    }
    void put(const proto::Text& to) { to.text = input_.pick(words_.workers); }
    void put(const proto::Bytes& to);
    void put(const proto::Appended& to) { to.text = input_.bytes(std::min(input_.below(4), to.limit)); }
    // Takes no input, so that kept inputs go on meaning what they meant: the most that anybody can claim.
    void put(const proto::AppendedNumber& to) { to.value = ~std::uint64_t{0}; }
    void put(const proto::AppendedFlag& to) { to.value = input_.flag(); }
    void put(const proto::OldReason& to) { put(proto::OneOf<Reason>{to.value, Reason::node_left}); }
    // Takes no input either.
    void put(const proto::AppendedMoved& to) {
        if (to.value == Reason::left && ++appended_moves_ % 4 == 0) to.value = Reason::moved;
    }
    void put(const proto::AppendedAddress& to) { to.text = words_.addresses.empty() ? "" : words_.addresses.front(); }
    // Likewise: every other one names a node.
    void put(const proto::AppendedName& to) {
        to.text = ++appended_names_ % 2 == 0 && !words_.nodes.empty() ? words_.nodes.front().name : std::string();
    }
    // Likewise: every node that is known is named.
    void put(const proto::AppendedLines& to) {
        to.lines.clear();
        for (const auto& node : words_.nodes) to.lines.push_back(node.name);
    }
    void put(proto::PeerRecord& to) {
        (void)proto::fields(*this, to);
        if (words_.prove) words_.prove(to);
    }
    void put(proto::Sealed& to);
    void put(Data& to) { to.msgpack = input_.pick(words_.data); }
    template <class E>
    void put(const proto::OneOf<E>& to) {
        to.value = static_cast<E>(1 + input_.below(static_cast<std::size_t>(to.last)));
    }
    void put(Group& to) { to = input_.pick(words_.groups); }
    void put(const proto::GroupOrAll& to) { to.group = input_.flag() ? input_.pick(words_.groups) : Group{}; }
    void put(Meta& to) {
        to.clear();
        for (std::size_t i = input_.below(3); i > 0; --i) to[input_.pick(words_.workers)] = input_.pick(words_.workers);
    }
    void put(SharedMeta& to) {
        Meta meta;
        put(meta);
        to = std::move(meta);
    }
    void put(std::map<std::string, std::uint64_t>& to) { to = {{"counter", input_.number()}}; }
    void put(proto::NumberRun& to) {
        to.first = MemberNumber{input_.number()};
        to.count = input_.number();
        make_sound(to.first, to.count);
    }
    void put(proto::JoinRun& to) {
        proto::NumberRun run;
        put(run);
        to = {run.first, run.count, input_.flag() ? input_.pick(words_.workers) : std::string(), {}};
        put(to.meta);
    }
    static void make_sound(MemberNumber& first, std::uint64_t& count);
    void put(proto::SharedNotice& to) { to = proto::SharedNotice(one<proto::Notice>()); }
    void put(proto::LinkItem& to);
    void put(proto::Delivery& to);
    template <class T>
    void put(std::vector<T>& to) {
        to.clear();
        if (++depth_ < kDeepest) to.resize(length());
        for (auto& element : to) put(element);
        --depth_;
    }
    template <class Record>
    auto put(Record& to) -> decltype(proto::fields(std::declval<Dream&>(), to), void()) {
        proto::fields(*this, to);
    }
    std::size_t length();

    Input& input_;
    std::size_t appended_names_ = 0;
    std::size_t appended_moves_ = 0;
    const Words& words_;
    std::size_t depth_ = 0;
};

}  // namespace muster::fuzz
