#include "proto/codec.hpp"

#include <msgpack.hpp>

#include <algorithm>
#include <sstream>
#include <type_traits>
#include <utility>

#include "proto/codec_fields.hpp"
#include "proto/reader.hpp"
#include "proto/utf8.hpp"

namespace muster::proto {
namespace {

constexpr std::size_t kHeaderFields = 6;
constexpr std::size_t kReserved = 8192;  // bytes reserved for a list before its elements have arrived
constexpr std::uint32_t kNotificationFields = 11;

// ---- encoding --------------------------------------------------------------

struct StringSink {
    std::string& out;
    void write(const char* bytes, std::size_t size) { out.append(bytes, size); }
};

class Encoder;

/// Packs fields without an enclosing list.
class BareEncoder {
public:
    explicit BareEncoder(Encoder& encoder) : encoder_(encoder) {}
    template <class... Fields>
    bool operator()(Fields&&... parts);

private:
    Encoder& encoder_;
};

class Encoder {
public:
    explicit Encoder(std::string& out, NoticeTable* notices = nullptr)
        : sink_{out}, packer_(sink_), notices_(notices) {}

    template <class... Fields>
    bool operator()(Fields&&... parts) {
        packer_.pack_array(static_cast<std::uint32_t>(sizeof...(parts)));
        (put(parts), ...);
        return true;
    }

    /// The parts, without an enclosing list.
    template <class... Parts>
    bool bare(Parts&&... parts) {
        (put(parts), ...);
        return true;
    }

    template <class... Parts>
    void message(std::uint64_t type, const Header& header, Parts&&... parts) {
        packer_.pack_array(static_cast<std::uint32_t>(kHeaderFields + sizeof...(parts) + 1));
        packer_.pack_uint64(kMajor);
        packer_.pack_uint64(type);
        string(header.scope);
        string(header.origin);
        packer_.pack_uint64(header.incarnation);
        packer_.pack_uint64(header.seq);
        (put(parts), ...);
        packer_.pack_map(0);
    }

private:
    void string(std::string_view text) {
        packer_.pack_str(static_cast<std::uint32_t>(text.size()));
        packer_.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
    }
    void bytes(std::string_view text) {
        packer_.pack_bin(static_cast<std::uint32_t>(text.size()));
        packer_.pack_bin_body(text.data(), static_cast<std::uint32_t>(text.size()));
    }

    void put(std::uint64_t value) { packer_.pack_uint64(value); }
    void put(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
    template <class Tag>
    void put(const StrongId<Tag>& value) {
        packer_.pack_uint64(value.value);
    }
    void put(const NodeName& value) { string(value.text); }
    void put(const WorkerName& value) { string(value.text); }
    void put(const Address& value) { string(value.text); }
    void put(const Text& value) { string(utf8_prefix(value.text, limits::kText)); }
    void put(const Bytes& value) { bytes(value.text); }
    void put(const Appended& value) { bytes(value.text); }
    void put(const OldReason& value) {
        packer_.pack_uint64(static_cast<std::uint64_t>(value.value == Reason::moved ? Reason::left : value.value));
    }
    void put(const AppendedMoved& value) { packer_.pack_uint64(value.value == Reason::moved ? 1 : 0); }
    void put(const AppendedAddress& value) { string(value.text); }
    void put(const AppendedName& value) { string(value.text); }
    void put(const AppendedNumber& value) { put(value.value); }
    void put(const AppendedFlag& value) { packer_.pack_uint64(value.value ? 1 : 0); }
    void put(const AppendedLines& value) {
        std::string text;
        for (const auto& line : value.lines) text += (text.empty() ? "" : "\n") + line;
        put(Text{text});
    }
    void put(const Data& value) { bytes(value.msgpack); }
    template <class E>
    void put(const OneOf<E>& value) {
        packer_.pack_uint64(static_cast<std::uint64_t>(value.value));
    }
    void put(const Group& group) {
        packer_.pack_array(2);
        string(group.store);
        string(group.feature);
    }
    void put(const GroupOrAll& value) { put(value.group); }
    void put(const std::string& address) { string(address); }
    void put(const SharedMeta& meta) { put(meta.get()); }
    void put(const Meta& meta) {
        packer_.pack_map(static_cast<std::uint32_t>(meta.size()));
        for (const auto& [key, value] : meta) string(key), string(value);
    }
    void put(const std::map<std::string, std::uint64_t>& counters) {
        packer_.pack_map(static_cast<std::uint32_t>(counters.size()));
        for (const auto& [key, value] : counters) string(key), put(value);
    }
    void put(const SharedNotice& notice) { put(*notice); }
    void put(const Delivery& delivery) {
        if (notices_ != nullptr) {
            packer_.pack_array(2);
            put(notices_->place_of(delivery.notice));
            return put(*delivery.members);
        }
        packer_.pack_array(kNotificationFields);
        const auto notice = delivery.notice.encoded();
        sink_.write(notice.head.data(), notice.head.size());
        put(*delivery.members);
        sink_.write(notice.tail.data(), notice.tail.size());
    }
    void put(const LinkItem& item) {
        packer_.pack_array(2);
        packer_.pack_uint64(item.index() + 1);
        std::visit([this](const auto& part) { put(part); }, item);
    }
    template <class T>
    void put(const std::vector<T>& list) {
        packer_.pack_array(static_cast<std::uint32_t>(list.size()));
        for (const auto& element : list) put(element);
    }
    // fields() also fills records when decoding, so it takes them as non-const.
    template <class Record>
    auto put(const Record& record) -> decltype(fields(*this, const_cast<Record&>(record)), void()) {
        fields(*this, const_cast<Record&>(record));
    }

    StringSink sink_;
    msgpack::packer<StringSink> packer_;
    NoticeTable* notices_;  // of the bundle; null: none
};

template <class... Fields>
bool BareEncoder::operator()(Fields&&... parts) {
    return encoder_.bare(parts...);
}

class MessageEncoder {
public:
    MessageEncoder(Encoder& encoder, std::uint64_t type, const Header& header)
        : encoder_(encoder), type_(type), header_(header) {}
    template <class... Fields>
    bool operator()(Fields&&... parts) {
        encoder_.message(type_, header_, parts...);
        return true;
    }

private:
    Encoder& encoder_;
    std::uint64_t type_;
    const Header& header_;
};

// ---- decoding --------------------------------------------------------------

/// Makes the notices of one frame, with one allocation for several. They live as long as the last of a block.
class NoticeBlock {
public:
    /// At most `left` are still to come.
    std::shared_ptr<SharedNotice::Held> next(std::size_t left) {
        if (used_ == size_) {
            size_ = std::clamp<std::size_t>(left, 1, kMost);
            used_ = 0;
            block_ = std::make_shared<SharedNotice::Held[]>(size_);
        }
        return {block_, &block_[static_cast<std::ptrdiff_t>(used_++)]};
    }

private:
    static constexpr std::size_t kMost = 32;

    std::shared_ptr<SharedNotice::Held[]> block_;
    std::size_t size_ = 0;
    std::size_t used_ = 0;
};

/// What is known while a frame is read.
struct Frame {
    const NoticeTable* notices = nullptr;  // of the bundle; null: none
    SharedMeta latest{};                   // the metadata read last
};

/// Reads the elements of one list in the order of their fields.
class Decoder {
public:
    /// `count` elements are left of a list at nesting `depth`.
    Decoder(Reader& reader, Frame& frame, std::size_t count, std::size_t depth)
        : reader_(reader), frame_(frame), left_(count), depth_(depth) {}

    /// Fills `parts` from the next elements. Later elements belong to a newer minor version.
    template <class... Fields>
    bool operator()(Fields&&... parts) {
        constexpr std::size_t needed = (0u + ... + (kIsAppended<Fields> ? 0u : 1u));
        return left_ >= needed && (take(parts) && ...);
    }
    /// The notices of a bundle.
    bool notices(std::vector<SharedNotice>& to) {
        NoticeBlock block;
        return each(to, [&](Decoder& elements, SharedNotice& next) {
            auto notice = block.next(elements.left_ + 1 - to.size());
            if (to.size() > 1) expect_names(*notice, *to[to.size() - 2]);
            const bool sound =
                elements.list([&](Decoder& item) { return head_fields(item, *notice) && tail_fields(item, *notice); });
            next = SharedNotice(std::move(notice));
            return sound;
        });
    }
    /// Skips all remaining elements.
    bool skip_all() {
        for (; left_ > 0; --left_)
            if (!reader_.skip(limits::kDepth - depth_, limits::kItems)) return false;
        return true;
    }

private:
    template <class Field>
    static constexpr bool kIsAppended = std::is_same_v<std::remove_cvref_t<Field>, Appended> ||
                                        std::is_same_v<std::remove_cvref_t<Field>, AppendedAddress> ||
                                        std::is_same_v<std::remove_cvref_t<Field>, AppendedName> ||
                                        std::is_same_v<std::remove_cvref_t<Field>, AppendedNumber> ||
                                        std::is_same_v<std::remove_cvref_t<Field>, AppendedFlag> ||
                                        std::is_same_v<std::remove_cvref_t<Field>, AppendedMoved> ||
                                        std::is_same_v<std::remove_cvref_t<Field>, AppendedLines>;

    struct NextNotice {
        SharedNotice& notice;
        const Notice* before;  // or null
    };

    template <class Field>
    bool take(Field& part) {
        if (kIsAppended<Field> && left_ == 0) return true;
        --left_;
        return get(part);
    }

    /// A text that is already there was valid.
    bool string(
        std::string& to, std::size_t limit, bool is_valid(std::string_view) = [](std::string_view) { return true; }) {
        std::string_view text;
        if (!reader_.string(text)) return false;
        if (!to.empty() && text == to) return true;
        if (text.size() > limit || !is_utf8(text) || !is_valid(text)) return false;
        to.assign(text);
        return true;
    }
    static bool is_name_or_empty(std::string_view text) { return text.empty() || is_valid_name(text); }
    bool bytes(std::string& to, std::size_t limit) {
        std::string_view found;
        if (!reader_.binary(found) || found.size() > limit) return false;
        to.assign(found);
        return true;
    }

    bool get(std::uint64_t& to) { return reader_.unsigned_integer(to); }
    bool get(bool& to) { return reader_.boolean(to); }
    template <class Tag>
    bool get(StrongId<Tag>& to) {
        return get(to.value);
    }
    bool get(const NodeName& to) { return string(to.text, limits::kName, is_valid_name); }
    bool get(const WorkerName& to) { return string(to.text, limits::kName, is_name_or_empty); }
    bool get(const GroupPart& to) { return string(to.text, limits::kGroupPart); }
    bool get(const Address& to) { return string(to.text, limits::kAddress); }
    bool get(std::string& to) { return string(to, limits::kAddress); }
    bool get(const Text& to) { return string(to.text, limits::kText); }
    bool get(const Bytes& to) { return bytes(to.text, to.limit); }
    bool get(const Appended& to) { return bytes(to.text, to.limit); }
    bool get(const OldReason& to) { return get(OneOf<Reason>{to.value, Reason::node_left}); }
    bool get(const AppendedMoved& to) {
        std::uint64_t moved = 0;
        if (!get(moved)) return false;
        if (moved != 0 && to.value == Reason::left) to.value = Reason::moved;
        return true;
    }
    bool get(const AppendedAddress& to) { return get(Address{to.text}); }
    bool get(const AppendedName& to) { return get(WorkerName{to.text}); }
    bool get(const AppendedNumber& to) { return get(to.value); }
    bool get(const AppendedFlag& to) {
        std::uint64_t value = 0;
        if (!get(value)) return false;
        to.value = value != 0;
        return true;
    }
    bool get(const AppendedLines& to) {
        std::string text;
        if (!get(Text{text})) return false;
        to.lines.clear();
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);)
            if (!line.empty()) to.lines.push_back(line);
        return true;
    }
    bool get(Data& to) { return bytes(to.msgpack, limits::kData) && is_valid_data(to.msgpack); }
    template <class E>
    bool get(const OneOf<E>& to) {
        std::uint64_t value = 0;
        if (!get(value) || value < 1 || value > static_cast<std::uint64_t>(to.last)) return false;
        to.value = static_cast<E>(value);
        return true;
    }
    bool get_names(Group& to) {
        return list([&](Decoder& names) { return names(GroupPart{to.store}, GroupPart{to.feature}); });
    }
    bool get(Group& to) { return get_names(to) && !to.store.empty() && !to.feature.empty(); }
    bool get(const GroupOrAll& to) { return get_names(to.group) && to.group.store.empty() == to.group.feature.empty(); }
    bool get(Meta& to) {
        return get_map(to, limits::kMetaEntries,
                       [this](std::string& text) { return string(text, limits::kMetaBytes); });
    }
    /// Members of one join follow each other, with equal metadata: they share it here, too.
    bool get(SharedMeta& to) {
        Meta meta;
        if (!get(meta)) return false;
        if (meta != frame_.latest.get()) frame_.latest = std::move(meta);
        to = frame_.latest;
        return true;
    }
    bool get(std::map<std::string, std::uint64_t>& to) {
        return get_map(to, limits::kItems, [this](std::uint64_t& number) { return get(number); });
    }
    template <class Map, class GetValue>
    bool get_map(Map& to, std::size_t limit, GetValue get_value) {
        std::uint32_t count = 0;
        if (!reader_.map(count) || count > limit) return false;
        for (; count != 0; --count) {
            std::string key;
            if (!string(key, limits::kMetaBytes)) return false;
            const auto [place, fresh] = to.try_emplace(std::move(key));
            if (!fresh || !get_value(place->second)) return false;
        }
        return true;
    }
    bool get(NumberRun& to) { return record(to) && sound_run(to.first, to.count); }
    bool get(JoinRun& to) { return record(to) && sound_run(to.first, to.count); }
    static bool sound_run(MemberNumber first, std::uint64_t count) {
        return first && count >= 1 && count <= limits::kMembersPerCall && first.value <= UINT64_MAX - count;
    }
    bool get(LinkItem& to, const Notice* before) {
        return list([&](Decoder& item) {
            std::uint64_t kind = 0;
            if (!item(kind)) return false;
            if (kind == 2) return item(to.emplace<NoticeReport>());
            if (kind == 3) return item(to.emplace<NoticesLost>());
            if (kind == 4) return item(to.emplace<Replay>());
            return kind == 1 && item(NextNotice{to.emplace<SharedNotice>(), before});
        });
    }
    bool get(SharedNotice& to) { return get(NextNotice{to, nullptr}); }
    bool get(const NextNotice& to) {
        auto notice = std::make_shared<SharedNotice::Held>();
        if (to.before) expect_names(*notice, *to.before);
        if (!record(static_cast<Notice&>(*notice))) return false;
        to.notice = SharedNotice(std::move(notice));
        return true;
    }
    static void expect_names(Notice& notice, const Notice& before) {
        notice.group = before.group;
        notice.from_node = before.from_node;
        notice.from_worker = before.from_worker;
    }
    /// A delivery for the same members as the previous one shares its list; most do. Most have the same names, too.
    bool get(std::vector<Delivery>& to) {
        std::vector<MemberNumber> members;
        NoticeBlock notices;
        return each(to, [&](Decoder& elements, Delivery& delivery) {
            return elements.list([&](Decoder& item) {
                const Delivery* before = to.size() > 1 ? &to[to.size() - 2] : nullptr;
                members.clear();
                if (frame_.notices != nullptr) {
                    if (!item.placed(delivery.notice) || !item(members)) return false;
                } else {
                    auto notice = notices.next(elements.left_ + 1 - to.size());
                    if (before) expect_names(*notice, *before->notice);
                    if (!head_fields(item, *notice) || !item(members) || !tail_fields(item, *notice)) return false;
                    delivery.notice = SharedNotice(std::move(notice));
                }
                delivery.members = before && *before->members == members
                                       ? before->members
                                       : std::make_shared<const std::vector<MemberNumber>>(members);
                return true;
            });
        });
    }
    bool placed(SharedNotice& to) {
        std::uint64_t place = 0;
        const SharedNotice* found = (*this)(place) ? frame_.notices->find(place) : nullptr;
        if (found != nullptr) to = *found;
        return found != nullptr;
    }
    /// Most notices have the names of the one before.
    bool get(std::vector<LinkItem>& to) {
        return each(to, [&](Decoder& elements, LinkItem& item) {
            const auto* before = to.size() > 1 ? std::get_if<SharedNotice>(&to[to.size() - 2]) : nullptr;
            return elements.get(item, before ? &**before : nullptr);
        });
    }
    template <class T>
    bool get(std::vector<T>& to) {
        return each(to, [](Decoder& elements, T& element) { return elements(element); });
    }
    template <class T, class Get>
    bool each(std::vector<T>& to, const Get& get_element) {
        std::uint32_t count = 0;
        if (!reader_.array(count) || count > limits::kItems || count > reader_.left()) return false;
        to.reserve(std::min<std::size_t>(count, kReserved / sizeof(T)));  // records are larger than their encoding
        Decoder elements(reader_, frame_, count, depth_ + 1);
        for (; count != 0; --count)
            if (!get_element(elements, to.emplace_back())) return false;
        return true;
    }
    template <class Fill>
    bool list(const Fill& fill) {
        std::uint32_t count = 0;
        if (!reader_.array(count) || count > limits::kItems) return false;
        Decoder inner(reader_, frame_, count, depth_ + 1);
        return fill(inner) && inner.skip_all();
    }
    template <class Record>
    bool record(Record& to) {
        return list([&](Decoder& inner) { return fields(inner, to); });
    }
    template <class Record>
    auto get(Record& to) -> decltype(fields(std::declval<Decoder&>(), to), bool()) {
        return record(to);
    }

    Reader& reader_;
    Frame& frame_;
    std::size_t left_;
    std::size_t depth_;
};

template <std::size_t... I>
bool decode_body(std::uint64_t type, Decoder& decoder, Body& body, bool& known, std::index_sequence<I...>) {
    bool sound = false;
    const auto try_one = [&]<std::size_t N>() {
        using Alternative = std::variant_alternative_t<N, Body>;
        static_assert(kType<Alternative> != 0, "every message needs its number in codec_fields.hpp");
        if (type != kType<Alternative>) return false;
        known = true;
        sound = fields(decoder, body.emplace<N>());
        return true;
    };
    (void)(try_one.template operator()<I>() || ...);
    return sound;
}

/// The error is valid only if the rest of the frame is well formed.
Decoded decode_message(Reader& reader, const NoticeTable* notices) {
    std::uint32_t count = 0;
    if (!reader.array(count) || count == 0) return DecodeError::bad_field;
    Frame frame{notices};
    Decoder parts(reader, frame, count, 1);
    std::uint64_t major = 0;
    std::uint64_t type = 0;
    if (!parts(major)) return DecodeError::bad_field;
    if (major != kMajor) return DecodeError::wrong_major;  // its further layout is unknown
    if (count < kHeaderFields + 1) return DecodeError::bad_field;

    Message message;
    Header& header = message.header;
    if (!parts(type, Text{header.scope}, NodeName{header.origin}, header.incarnation, header.seq) ||
        header.scope.size() > limits::kScope)
        return DecodeError::bad_field;

    Decoder rest(reader, frame, count - kHeaderFields - 1, 1);
    bool known = false;
    const bool sound =
        decode_body(type, rest, message.body, known, std::make_index_sequence<std::variant_size_v<Body>>{});
    if (!known) return DecodeError::unknown_type;
    std::uint32_t options = 0;
    if (!sound || !rest.skip_all() || !reader.map(options) || options > limits::kItems) return DecodeError::bad_field;
    for (std::uint32_t i = 0; i < 2 * options; ++i)
        if (!reader.skip(limits::kDepth - 2, limits::kItems)) return DecodeError::bad_field;
    if (!reader.at_end()) return DecodeError::trailing_bytes;
    return message;
}

}  // namespace

std::string_view to_string(DecodeError error) {
    switch (error) {
        case DecodeError::too_large:
            return "too_large";
        case DecodeError::malformed:
            return "malformed";
        case DecodeError::trailing_bytes:
            return "trailing_bytes";
        case DecodeError::wrong_major:
            return "wrong_major";
        case DecodeError::unknown_type:
            return "unknown_type";
        case DecodeError::bad_field:
            return "bad_field";
    }
    return "unknown";
}

SharedNotice::Encoded SharedNotice::encoded() const {
    const std::string& bytes = held_->encoded;
    if (bytes.empty()) {
        constexpr std::size_t kNumbersAndHeaders = 96;
        held_->encoded.reserve(kNumbersAndHeaders + held_->group.store.size() + held_->group.feature.size() +
                               held_->data.msgpack.size() + held_->from_node.name.size() + held_->from_worker.size());
        Encoder encoder(held_->encoded);
        BareEncoder bare(encoder);
        head_fields(bare, const_cast<Held&>(*held_));
        held_->head_size = bytes.size();
        tail_fields(bare, const_cast<Held&>(*held_));
    }
    return {std::string_view(bytes).substr(0, held_->head_size), std::string_view(bytes).substr(held_->head_size)};
}

std::uint64_t NoticeTable::place_of(const SharedNotice& notice) {
    if (next_ < notices_.size() && &*notices_[next_] == &*notice) return next_++;
    const auto [found, is_new] = places_.try_emplace(&*notice, notices_.size());
    if (is_new) {
        notices_.push_back(notice);
        const auto encoded = notice.encoded();
        bytes_ += encoded.head.size() + encoded.tail.size();
    }
    next_ = static_cast<std::size_t>(found->second) + 1;
    return found->second;
}

void NoticeTable::encode(std::string& out) const {
    StringSink sink{out};
    msgpack::packer<StringSink> packer(sink);
    packer.pack_array(static_cast<std::uint32_t>(notices_.size()));
    for (const auto& notice : notices_) {
        packer.pack_array(kNotificationFields - 1);  // without the members
        const auto encoded = notice.encoded();
        out.append(encoded.head).append(encoded.tail);
    }
}

void NoticeTable::clear() {
    notices_.clear();
    places_.clear();
    next_ = bytes_ = 0;
}

bool NoticeTable::decode(Reader& reader) {
    Frame frame;
    return Decoder(reader, frame, 1, 1).notices(notices_);
}

namespace {

void encode(const Message& message, Encoder encoder) {
    std::visit(
        [&]<class B>(const B& body) {
            MessageEncoder whole(encoder, kType<B>, message.header);
            fields(whole, const_cast<B&>(body));
        },
        message.body);
}

Decoded decode(std::string_view frame, const NoticeTable* notices) {
    if (frame.size() > limits::kFrame) return DecodeError::too_large;
    Reader reader(frame);
    Decoded decoded = decode_message(reader, notices);
    if (decoded) return decoded;
    // A frame that is not one well-formed value is `malformed`, wherever its first fault is.
    Reader again(frame);
    if (!again.skip(limits::kDepth, limits::kItems)) return DecodeError::malformed;
    if (!again.at_end()) return DecodeError::trailing_bytes;
    return decoded;
}

}  // namespace

void encode(const Message& message, std::string& out) {
    encode(message, Encoder(out));
}

void encode(const Message& message, std::string& out, NoticeTable& notices) {
    encode(message, Encoder(out, &notices));
}

std::string encode(const Message& message) {
    std::string out;
    encode(message, out);
    return out;
}

Decoded decode(std::string_view frame) {
    return decode(frame, nullptr);
}

Decoded decode(std::string_view frame, const NoticeTable& notices) {
    return decode(frame, &notices);
}

std::optional<std::uint64_t> major_of(std::string_view frame) {
    Reader reader(frame);
    std::uint32_t count = 0;
    std::uint64_t major = 0;
    if (!reader.array(count) || count == 0 || !reader.unsigned_integer(major)) return std::nullopt;
    return major;
}

bool is_valid_data(std::string_view bytes) {
    if (bytes.size() > limits::kData) return false;
    Reader reader(bytes);
    return reader.skip(limits::kDataDepth, limits::kData) && reader.at_end();
}

}  // namespace muster::proto
