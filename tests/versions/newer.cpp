#include "tests/versions/newer.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "proto/codec.hpp"
#include "proto/codec_fields.hpp"
#include "proto/limits.hpp"

namespace muster::versions {
namespace {

using nlohmann::json;
using namespace proto;  // NOLINT(google-build-using-namespace): this file is a second encoder of it

const std::array<json, 8>& additions() {
    static const std::array<json, 8> values = {json(nullptr),
                                               json(true),
                                               json(-7),
                                               json(1.5),
                                               json("newer"),
                                               json::binary({1, 2, 3}),
                                               json::array({1, json::array()}),
                                               json::object({{"k", json::array()}})};
    return values;
}

/// {1: nil, 200: [true], "s": {2: "x"}}
constexpr std::string_view kOptions("\x83\x01\xc0\xcc\xc8\x91\xc3\xa1s\x81\x02\xa1x", 13);
constexpr std::uint64_t kUnknownTypes[] = {4, 39, 68, 100, 1000, 1ull << 40};

/// An `Io` of codec_fields.hpp: the elements of one list, as a tree.
class Writer {
public:
    explicit Writer(std::uint64_t& turn) : turn_(turn) {}

    template <class... Parts>
    bool operator()(Parts&&... parts) {
        (list_.push_back(tree(parts)), ...);
        return true;
    }
    /// One or two fields of a newer minor.
    json grown() {
        list_.push_back(additions()[turn_++ % additions().size()]);
        if (turn_ % 5 == 0) list_.push_back(additions()[turn_++ % additions().size()]);
        return std::move(list_);
    }

private:
    static json tree(std::uint64_t value) { return value; }
    static json tree(bool value) { return value; }
    static json tree(const SharedMeta& meta) { return meta.get(); }
    template <class Tag>
    static json tree(const StrongId<Tag>& value) {
        return value.value;
    }
    static json tree(const NodeName& value) { return value.text; }
    static json tree(const WorkerName& value) { return value.text; }
    static json tree(const OldReason& value) {
        return static_cast<int>(value.value == Reason::moved ? Reason::left : value.value);
    }
    static json tree(const AppendedMoved& value) { return value.value == Reason::moved ? 1 : 0; }
    static json tree(const AppendedAddress& value) { return value.text; }
    static json tree(const AppendedName& value) { return value.text; }
    static json tree(const Address& value) { return value.text; }
    static json tree(const Text& value) { return value.text; }
    static json tree(const std::string& value) { return value; }
    static json bytes(std::string_view value) {
        return json::binary(std::vector<std::uint8_t>(value.begin(), value.end()));
    }
    static json tree(const Bytes& value) { return bytes(value.text); }
    static json tree(const Appended& value) { return bytes(value.text); }
    static json tree(const AppendedNumber& value) { return value.value; }
    static json tree(const AppendedFlag& value) { return value.value ? 1 : 0; }
    static json tree(const AppendedLines& value) {
        std::string text;
        for (const auto& line : value.lines) text += (text.empty() ? "" : "\n") + line;
        return text;
    }
    static json tree(const Data& value) { return bytes(value.msgpack); }
    template <class E>
    static json tree(const OneOf<E>& value) {
        return static_cast<std::uint64_t>(value.value);
    }
    static json tree(const Meta& value) { return value.empty() ? json::object() : json(value); }
    static json tree(const std::map<std::string, std::uint64_t>& value) {
        return value.empty() ? json::object() : json(value);
    }
    json tree(const Group& group) { return list(group.store, group.feature); }
    json tree(const GroupOrAll& value) { return tree(value.group); }
    json tree(const SharedNotice& notice) { return tree(*notice); }
    json tree(const LinkItem& item) {
        return list(std::uint64_t{item.index() + 1}, std::visit([this](const auto& part) { return tree(part); }, item));
    }
    json tree(const json& value) { return value; }
    json tree(const Delivery& delivery) {
        Writer inner(turn_);
        Notice notice = *delivery.notice;
        head_fields(inner, notice);
        inner(*delivery.members);
        tail_fields(inner, notice);
        return inner.grown();
    }
    template <class T>
    json tree(const std::vector<T>& values) {
        json all = json::array();
        for (const auto& value : values) all.push_back(tree(value));
        return all;
    }
    template <class Record>
    auto tree(const Record& record) -> decltype(fields(*this, const_cast<Record&>(record)), json()) {
        Writer inner(turn_);
        fields(inner, const_cast<Record&>(record));
        return inner.grown();
    }
    template <class... Parts>
    json list(const Parts&... parts) {
        Writer inner(turn_);
        inner(parts...);
        return inner.grown();
    }

    std::uint64_t& turn_;
    json list_ = json::array();
};

std::string frame_of(const json& tree) {
    const auto bytes = json::to_msgpack(tree);
    std::string frame(bytes.begin(), bytes.end());
    frame.pop_back();  // the trailing map, which is empty
    return frame.append(kOptions);
}

json header_of(std::uint64_t type, const Header& header) {
    return json::array({kMajor, type, header.scope, header.origin, header.incarnation, header.seq});
}

}  // namespace

std::string NewerPeer::encode(const Message& message) {
    Message copy = message;
    if (auto* relay = std::get_if<Relay>(&copy.body))
        if (auto inner = decode(relay->message); inner && inner->header.origin == message.header.origin)
            relay->message = encode(*inner);  // what others said is passed on as it is
    // What others sealed, or forged, is none of its own words.
    if (auto* sealed = std::get_if<Sealed>(&copy.body); sealed && seal_ && seal_(*sealed) == sealed->signature)
        if (auto inner = decode(sealed->message); inner && inner->header.origin == message.header.origin) {
            sealed->message = encode(*inner);
            sealed->signature = seal_(*sealed);
        }
    json tree = std::visit(
        [&]<class B>(B& body) {
            Writer writer(turn_);
            fields(writer, body);
            json all = header_of(kType<B>, message.header);
            for (auto& part : writer.grown()) all.push_back(std::move(part));
            return all;
        },
        copy.body);
    tree.push_back(json::object());
    auto frame = frame_of(tree);
    return frame.size() <= limits::kFrame ? frame : proto::encode(message);
}

std::string NewerPeer::unknown(const Header& header, bool sealed) {
    json tree = header_of(kUnknownTypes[turn_ % std::size(kUnknownTypes)], header);
    for (std::uint64_t i = 0; i < turn_ % 4; ++i) tree.push_back(additions()[(turn_ + i) % additions().size()]);
    ++turn_;
    tree.push_back(json::object());
    auto frame = frame_of(tree);
    if (!seal_ || !sealed || turn_ % 2 == 0) return frame;
    Sealed seal{1, std::move(frame), {}};
    seal.signature = seal_(seal);
    return encode({header, std::move(seal)});
}

std::string with_major(std::string frame, char major) {
    const std::size_t at = frame.empty() || frame[0] != '\xdc' ? 1 : 3;
    if (at < frame.size() && major_of(frame)) frame[at] = major;
    return frame;
}

}  // namespace muster::versions
