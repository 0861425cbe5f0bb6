#include <algorithm>
#include <deque>
#include <map>

#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "tests/integration/storm/dealer.hpp"
#include "tests/integration/storm/draws.hpp"
#include "tests/integration/storm/liars.hpp"

namespace muster::test {
namespace {

using proto::Body;
using proto::Message;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kBeat{200};
constexpr int kQueue = 50;  // of large frames
constexpr std::uint64_t kYear = 365ull * 86'400'000'000;
const std::string kScope = "default";
const std::string kTopic("g:default\0", 10);

std::uint64_t clock_now() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

/// A port that others connect to. Nobody checks their keys.
std::string open(zmq::socket_t& socket, const keys::KeyPair& own) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, kQueue);
    keys::be_server(socket.handle(), own, "storm");
    socket.bind("tcp://127.0.0.1:*");
    return socket.get(zmq::sockopt::last_endpoint).substr(6);
}

/// One life of the node.
class Life {
public:
    Life(zmq::context_t& context, const Target& target, const std::string& name, const keys::KeyPair& own, Draws& draws,
         std::uint64_t& newest)
        : context_(context),
          target_(target),
          own_(own),
          draws_(draws),
          newest_(newest),
          door_(context, zmq::socket_type::router),
          control_(context, zmq::socket_type::router),
          publisher_(context, zmq::socket_type::xpub),
          subscriber_(context, zmq::socket_type::sub) {
        newest_ = std::max(newest_ + 1, clock_now());
        self_.id = {name, Incarnation{newest_}};
        self_.address = open(door_, own);
        self_.control = open(control_, own);
        self_.gossip = open(publisher_, own);
        if (draws_.one_in(4)) self_.gossip = address();
        if (draws_.one_in(4)) self_.control = address();
        if (draws_.one_in(8)) self_.address = address();
        prove(self_);
        subscriber_.set(zmq::sockopt::linger, 0);
        subscriber_.set(zmq::sockopt::subscribe, draws_.one_in(8) ? "" : kTopic);
        subscriber_.set(zmq::sockopt::subscribe,
                        "@" + kScope + "/" + name + "/" + std::to_string(self_.id.incarnation.value));
        for (std::size_t i = 0; i < target.doors.size(); ++i) meet(i);
    }

    void live() {
        const auto end = std::min(target_.end, steady_clock::now() + milliseconds(draws_.of_any_size(10'000)));
        const bool is_heard = !draws_.one_in(5);
        while (steady_clock::now() < end && newest_ == self_.id.incarnation.value) {
            if (is_heard && steady_clock::now() >= next_beat_) beat();
            listen();
            act();
        }
        if (draws_.one_in(2)) publish(proto::Goodbye{});
    }

private:
    struct Known {
        proto::PeerRecord record;
        std::unique_ptr<Dealer> door, control;
    };

    // ---- as a node does it ----------------------------------------------------------

    void prove(proto::PeerRecord& record) const { record.proof = own_.sign(cluster::signed_bytes(kScope, record)); }
    [[nodiscard]] std::string encoded(Body body, std::uint64_t seq = 0) const {
        return proto::encode(Message{{kScope, self_.id.name, self_.id.incarnation.value, seq}, std::move(body)});
    }
    std::string sealed(std::string message) {
        proto::Sealed seal{++stamp_, std::move(message), {}};
        if (draws_.one_in(50)) seal.stamp = draws_.number();
        seal.signature = own_.sign(cluster::signed_bytes(seal));
        return encoded(std::move(seal));
    }
    void meet(std::size_t i) {
        const Pass pass{own_, target_.nodes[i]->public_key()};
        Known known;
        known.door = std::make_unique<Dealer>(context_, target_.doors[i], &pass);
        known.door->say(encoded(proto::Hello{self_, {}}));
        while (const auto heard = known.door->hear(milliseconds(2000))) {
            const auto decoded = proto::decode(*heard);
            const auto* welcome = decoded ? std::get_if<proto::Welcome>(&decoded->body) : nullptr;
            if (welcome == nullptr) break;                      // refused
            newest_ = std::max(newest_, welcome->known.value);  // a lie of before was believed: the next life is later
            known.record = welcome->self;
            known.control = std::make_unique<Dealer>(context_, known.record.control, &pass);
            show(subscriber_, &pass);
            subscriber_.connect("tcp://" + known.record.gossip);
            break;
        }
        if (known.control) nodes_.push_back(std::move(known));
    }
    void beat() {
        next_beat_ = steady_clock::now() + kBeat;
        const bool is_true = draws_.one_in(2);
        const proto::Heartbeat beat{is_true ? 0 : draws_.number() >> 32, is_true ? 0 : draws_.any(), draws_.any(), 1};
        publish_sealed('h', sealed(encoded(beat, is_true ? log_ : draws_.number())));
    }
    void publish(Body body, std::uint64_t seq = 0) { publish_sealed('n', sealed(encoded(std::move(body), seq))); }
    void publish_sealed(char mark, const std::string& frame) {
        publisher_.send(zmq::buffer(kTopic + mark + frame), zmq::send_flags::dontwait);
    }

    /// Answers some of what is asked, and remembers what others have signed.
    void listen() {
        zmq::message_t frame;
        for (int i = 0; i < 50 && subscriber_.recv(frame, zmq::recv_flags::dontwait); ++i)
            if (frame.size() > kTopic.size() + 1 && draws_.one_in(10))
                remember(frame.to_string().substr(kTopic.size() + 1));
        for (auto* socket : {&control_, &door_})
            for (int i = 0; i < 50 && socket->recv(frame, zmq::recv_flags::dontwait); ++i)
                if (const auto decoded = proto::decode(frame.to_string_view()))
                    if (draws_.one_in(2)) answer(*decoded);
    }
    void remember(std::string frame) {
        signed_by_others_.push_back(std::move(frame));
        if (signed_by_others_.size() > 100) signed_by_others_.pop_front();
    }
    void answer(const Message& message) {
        const auto to = std::find_if(nodes_.begin(), nodes_.end(),
                                     [&](const Known& known) { return known.record.id.name == message.header.origin; });
        if (to == nodes_.end()) return;
        if (const auto* ping = std::get_if<proto::Ping>(&message.body))
            to->control->say(encoded(proto::Pong{ping->nonce, to->record.id, Seq{draws_.number()}, 0, 1}));
        if (std::holds_alternative<proto::Pull>(message.body)) to->control->say(encoded(chunk(), draws_.number()));
    }

    // ---- whatever comes to its mind ---------------------------------------------------

    /// Of itself, of another node, or of somebody who is no node.
    std::string address() {
        const auto& known = nodes_.empty() ? self_ : draws_.pick(nodes_).record;
        const std::vector<std::string> all{
            self_.address,         self_.control,
            known.address,         known.control,
            known.gossip,          target_.http,
            "127.0.0.1:1",         "127.0.0.2:7100",
            "nobody.invalid:7100", "[::1]:7100",
            "127.0.0.1:0",         "127.0.0.1:99999",
            "0" + known.gossip,    "127.0.0.1:0" + known.gossip.substr(known.gossip.rfind(':') + 1)};
        return draws_.one_in(20) ? std::string(limits::kAddress, 'a') : draws_.pick(all);
    }
    NodeId somebody() {
        if (draws_.one_in(3)) return self_.id;
        if (draws_.one_in(4) || nodes_.empty())
            return {"phantom-" + std::to_string(draws_.below(100'000)), Incarnation{draws_.number()}};
        NodeId id = draws_.pick(nodes_).record.id;
        if (draws_.one_in(3)) id.incarnation = Incarnation{id.incarnation.value + draws_.number() - (1u << 20)};
        return id;
    }
    proto::PeerRecord record() {
        proto::PeerRecord record = self_;
        record.id = somebody();
        record.state = static_cast<NodeState>(1 + draws_.below(4));
        record.refutation = draws_.one_in(2) ? 0 : draws_.number();
        record.seq = Seq{draws_.one_in(2) ? 0 : draws_.number()};
        for (auto* one : {&record.address, &record.control, &record.gossip})
            if (draws_.one_in(2)) *one = address();
        if (record.id == self_.id) {
            static const std::vector<std::uint64_t> ahead{1, 1u << 20, kYear, 19 * kYear, 21 * kYear, UINT64_MAX >> 1};
            if (draws_.one_in(8)) record.id.incarnation = record.id.incarnation.plus(draws_.pick(ahead));
        }
        prove(record);
        return record;
    }

    /// Mostly of numbers that are new, as a node has to.
    proto::JoinRun run() {
        const std::uint64_t count = draws_.one_in(20)  ? draws_.number()
                                    : draws_.one_in(4) ? draws_.of_any_size(limits::kMembersPerCall)
                                                       : 1;
        if (draws_.one_in(200)) number_ = draws_.number();
        const MemberNumber first{number_ + 1};
        number_ += draws_.one_in(50) ? draws_.below(1000) : count;
        return {first, count, "w" + std::to_string(draws_.below(1000)), draws_.meta()};
    }
    std::vector<proto::JoinRun> runs(std::uint64_t most) {
        std::vector<proto::JoinRun> all;
        for (std::uint64_t i = draws_.of_any_size(most); i > 0; --i) all.push_back(run());
        return all;
    }
    Group group() {
        return {"lies-" + std::to_string(draws_.below(10)),
                std::to_string(draws_.below(draws_.one_in(4) ? 100'000 : 4))};
    }
    proto::Deltas deltas() {
        proto::Deltas message{draws_.one_in(10) ? somebody() : self_.id, Seq{log_ + 1}, {}};
        if (draws_.one_in(3)) message.first = Seq{log_ + (draws_.one_in(4) ? draws_.number() : draws_.below(5000))};
        for (std::uint64_t i = draws_.of_any_size(draws_.one_in(4) ? 500 : 4); i > 0; --i) {
            proto::Delta delta;
            for (std::uint64_t groups = draws_.of_any_size(draws_.one_in(4) ? 200 : 2); groups > 0; --groups) {
                delta.changes.emplace_back(group());
                if (draws_.one_in(4))
                    delta.changes.back().leaves.push_back(
                        {MemberNumber{draws_.below(number_ + 1)}, draws_.of_any_size(limits::kMembersPerCall)});
                else
                    delta.changes.back().joins = runs(draws_.one_in(10) ? 3000 : 4);
            }
            message.deltas.push_back(std::move(delta));
        }
        if (message.first.value == log_ + 1) log_ += message.deltas.size();
        return message;
    }
    proto::SnapshotChunk chunk() {
        proto::SnapshotChunk chunk{draws_.one_in(10) ? somebody() : self_.id,
                                   Seq{draws_.one_in(2) ? log_ : draws_.number()},
                                   draws_.any(),
                                   draws_.one_in(2) ? chunks_++ : draws_.number(),
                                   draws_.one_in(4) ? chunks_ : 0,
                                   {},
                                   draws_.number()};
        for (std::uint64_t i = draws_.of_any_size(100); i > 0; --i)
            chunk.groups.push_back({group(), runs(draws_.one_in(10) ? 3000 : 4)});
        return chunk;
    }
    proto::LinkData link_data() {
        const NodeId to = draws_.pick(nodes_).record.id;
        proto::LinkData data{draws_.one_in(8) ? somebody() : to, link_ + 1, draws_.one_in(2) ? 0 : draws_.number(), {}};
        if (draws_.one_in(4)) data.first = draws_.number();
        for (std::uint64_t i = draws_.of_any_size(draws_.one_in(8) ? 2000 : 8); i > 0; --i) {
            const auto kind = draws_.below(3);
            if (kind == 0) {
                proto::Notice notice;
                notice.group = draws_.one_in(2) ? draws_.group() : group();
                notice.from_node = self_.id;
                notice.seq = draws_.number();
                if (draws_.one_in(20)) notice.data = draws_.data();
                if (draws_.one_in(2)) notice.ticket = draws_.number();
                notice.newest = MemberNumber{draws_.number()};
                notice.wait_ms = draws_.number();
                if (draws_.one_in(8)) notice.from_node = somebody();
                data.items.emplace_back(std::move(notice));
            } else if (kind == 1) {
                data.items.emplace_back(proto::NoticeReport{draws_.one_in(2) ? draws_.below(100) : draws_.number(),
                                                            draws_.number(),
                                                            {{"n2", draws_.number(), MissReason::left}}});
            } else {
                data.items.emplace_back(proto::NoticesLost{
                    draws_.one_in(4) ? Group{"orders", "subscriptions"} : draws_.group(), draws_.number()});
            }
        }
        link_ += data.items.size();
        return data;
    }
    proto::PeerNews news() {
        proto::PeerNews news;
        for (std::uint64_t i = draws_.of_any_size(draws_.one_in(8) ? 4000 : 8); i > 0; --i)
            news.peers.push_back(record());
        return news;
    }
    Body envelope() {
        std::string inner = encoded(body());
        if (!signed_by_others_.empty() && draws_.one_in(2))
            inner = signed_by_others_[draws_.below(signed_by_others_.size())];
        else if (draws_.one_in(2))
            inner = sealed(std::move(inner));
        if (draws_.one_in(10)) inner = draws_.spoilt(std::move(inner));
        return proto::Relay{draws_.one_in(8) ? "nobody" : "n" + std::to_string(1 + draws_.below(5)), std::move(inner),
                            draws_.one_in(2) ? 0 : draws_.number()};
    }

    /// What it says of itself and others, true or not.
    Body body() {
        switch (draws_.below(14)) {
            case 0:
                return news();
            case 1:
            case 2:
            case 3:
                return deltas();
            case 4:
                return chunk();
            case 5:
                return link_data();
            case 6:
                return proto::LinkAck{draws_.pick(nodes_).record.id, draws_.number()};
            case 7:
                return proto::Pull{somebody(), Seq{draws_.one_in(2) ? 0 : draws_.number()}, draws_.one_in(2)};
            case 8:
                return proto::SnapshotAck{somebody(), Seq{draws_.number()}, draws_.number()};
            case 9:
                return proto::Probe{somebody(), draws_.one_in(2)};
            case 10:
                return proto::Heard{record(), draws_.any(), draws_.number(),
                                    signed_by_others_.empty() || draws_.one_in(2)
                                        ? ""
                                        : signed_by_others_.back().substr(0, limits::kBeat)};
            case 11:
                return proto::Ping{draws_.number()};
            case 12:
                return proto::Pong{draws_.number(), draws_.pick(nodes_).record.id, Seq{draws_.number()}, draws_.any(),
                                   draws_.below(16)};
            default:
                return something_else();
        }
    }
    Body something_else() {
        switch (draws_.below(6)) {
            case 0:
                return proto::Forget{somebody()};
            case 1:
                return proto::Hello{record(), draws_.one_in(2) ? "" : "n1"};
            case 2:
                return proto::Heartbeat{draws_.number(), draws_.any(), draws_.any(), draws_.below(4)};
            case 3:
                return proto::Welcome{record(), Incarnation{draws_.number()}, news().peers, draws_.below(16)};
            case 4:
                return proto::WorkerHello{};
            default:
                return proto::Refuse{ErrorCode::name_taken, "no"};
        }
    }

    void act() {
        if (nodes_.empty()) return meet(draws_.below(target_.doors.size()));
        const Known& to = draws_.pick(nodes_);
        Body said = draws_.one_in(8) ? envelope() : body();
        const std::uint64_t seq = draws_.one_in(2) ? log_ : draws_.number();
        std::string frame = encoded(std::move(said), seq);
        const std::uint64_t times = draws_.one_in(8) ? draws_.of_any_size(300) : 1;
        if (draws_.one_in(3)) frame = sealed(std::move(frame));
        if (draws_.one_in(10)) frame = draws_.spoilt(std::move(frame));
        for (std::uint64_t i = 0; i < times; ++i) {
            if (draws_.one_in(3))
                publish_sealed(draws_.one_in(4) ? 'h' : 'n', frame);
            else if (!(draws_.one_in(10) ? to.door : to.control)->say(frame))
                return;
        }
    }

    zmq::context_t& context_;
    const Target& target_;
    const keys::KeyPair& own_;
    Draws& draws_;
    std::uint64_t& newest_;
    zmq::socket_t door_, control_, publisher_, subscriber_;
    proto::PeerRecord self_;
    std::vector<Known> nodes_;
    std::deque<std::string> signed_by_others_;
    steady_clock::time_point next_beat_{};
    std::uint64_t stamp_ = 0;
    std::uint64_t log_ = 0;
    std::uint64_t link_ = 0;
    std::uint64_t number_ = 0;
    std::uint64_t chunks_ = 0;
};

}  // namespace

void lie_as_node(const Target& target, const std::string& name, const keys::KeyPair& own, std::uint64_t seed) {
    zmq::context_t context;
    Draws draws(seed);
    std::uint64_t newest = 0;
    while (!target.is_over()) Life(context, target, name, own, draws, newest).live();
}

}  // namespace muster::test
