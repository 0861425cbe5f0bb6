// A few cores, connected, and whoever else reaches their sockets. Each byte and what follows it is one step: a message
// on any channel (well formed or a raw frame), a call, a worker's conversation, handlers that return, links that come
// and go, processes that end and start, messages between the cores that are lost, time. The bounds are small. With
// keys, strangers have those of x, y and z, and nothing that they say may change what is known of the others.
#include "cluster/core.hpp"

#include <set>

#include "cluster/check.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "proto/fnv1a.hpp"
#include "tests/fuzz/dream.hpp"
#include "tests/sim/notary.hpp"
#include "tests/unit/cluster/net.hpp"

namespace muster::fuzz {
namespace {

using namespace cluster;  // NOLINT(google-build-using-namespace)
using std::chrono::milliseconds;

constexpr std::size_t kMostSteps = 100;
constexpr Duration kMostTime = std::chrono::seconds(8);
constexpr std::size_t kMostStarts = 12;
constexpr std::uint64_t kConnections = 4;
constexpr std::uint64_t kSecret = 1;
const std::set<std::string> kLiars{"x", "y", "z"};

void make_small(Options& options, std::uint8_t kind) {
    Bounds& bounds = options.bounds;
    bounds.log_deltas = 8;
    bounds.log_bytes = 2048;
    bounds.early_deltas = 4;
    bounds.early_bytes = 2000;
    bounds.all_early_bytes = 3000;
    bounds.all_log_bytes = 5000;
    bounds.table_members = 300'000;
    bounds.all_members = 500'000;
    bounds.table_bytes = 20'000;
    bounds.all_table_bytes = 40'000;
    bounds.table_work = 500;
    bounds.answer_window = 1000;
    bounds.repair_bytes_per_turn = 300;
    bounds.chunk_bytes = 64;
    bounds.link_items = bounds.backlog_items = 16;
    bounds.link_bytes = bounds.backlog_bytes = 2048;
    bounds.link_policy = (kind & 1) != 0 ? OverflowPolicy::refuse_newest : OverflowPolicy::drop_oldest;
    bounds.backlog_policy = static_cast<OverflowPolicy>(kind / 2 % 3);
    bounds.sessions = 2;
    bounds.members_per_owner = 200'000;
    bounds.watches_per_session = 2;
    bounds.peers = 3;
    bounds.pending_reports = 3;
    bounds.groups_per_owner = 3;
    bounds.bytes_per_owner = 256;
    bounds.requests_per_session = 4;
    bounds.answers_kept = 4;
    bounds.answer_bytes_kept = 1024;
    bounds.answer_bytes_per_turn = 256;
    if ((kind & 8) != 0) options.index_hash = [](const Group&, std::uint64_t) { return std::uint64_t{7}; };
    if ((kind & 16) != 0) options.timing.publish_gap = milliseconds(30);
    if ((kind & 32) != 0) options.timing.forget_after = std::chrono::seconds(2);
    if ((kind & 64) != 0) options.timing.link_retention = std::chrono::seconds(1);
    if ((kind & 128) != 0) options.session.grace = milliseconds(0);
}

/// A worker behind a connection, who keeps to the rules when it likes.
struct Client {
    SessionToken token;
    std::uint64_t seq = 0;
};

class Play {
public:
    explicit Play(Input& input) : input_(input), kind_(input.byte()), keys_(input.flag()) {
        net_.keys = keys_;
        net_.adjust = [this](Options& options) {
            make_small(options, kind_);
            if (keys_) options.notary = std::make_shared<sim::Notary>(kSecret, options.self.name);
        };
        if (keys_) {
            words_.prove = prove;
            words_.seal = seal;
        }
        net_.on_step = [this](const std::string& node, const Core& core, const Actions& actions) {
            after_step(node, core, actions);
        };
        net_.drop = [this](const std::string& to, const proto::Message& message) {
            return cut_.contains({message.header.origin, to});
        };
        words_.nodes = {{"a", Incarnation{1001}}, {"b", Incarnation{1001}}, {"c", Incarnation{1001}},
                        {"a", Incarnation{1002}}, {"b", Incarnation{1002}}, {"x", Incarnation{5}},
                        {"y", Incarnation{6}},    {"z", Incarnation{7}}};
        for (const char* port : {":control", ":gossip"})
            for (const char* name : {"a", "b"}) words_.addresses.push_back(std::string(name) + port);
        words_.scopes = {"default", "default", "default", "other"};
        start("a");
        start("b");
        if (input_.flag()) start("c");
    }

    /// A digest of all that the cores asked for.
    std::uint64_t run() {
        for (std::size_t i = 0; i < kMostSteps && !input_.empty() && spent_ < kMostTime; ++i) step();
        return digest_;
    }

private:
    void start(const std::string& name);
    void after_step(const std::string& node, const Core& core, const Actions& actions);
    void note(const Action& action);
    void note(std::string_view bytes);
    void step();
    void step_of_node();
    void hear(proto::Message message);
    void call();
    void worker();
    void outcomes();
    void change_links();
    void pass_time();
    void look();
    void check_tables();
    Sender stranger(Channel channel);
    static void prove(proto::PeerRecord& record);
    static void seal(const std::string& origin, proto::Sealed& sealed);
    std::string node() {
        constexpr const char* kNames[] = {"a", "b", "c"};
        const std::string wanted = kNames[input_.below(3)];
        return alive_.contains(wanted) ? wanted : *alive_.begin();
    }

    Input& input_;
    const std::uint8_t kind_;
    const bool keys_;
    Words words_;
    test::Net net_;
    std::set<std::string> alive_;
    std::set<std::pair<std::string, std::string>> cut_;  // from, to
    std::map<std::string, std::map<ConnectionId, Client>> clients_;
    std::size_t starts_ = 0;
    std::uint64_t calls_ = 1u << 30;
    Duration spent_{};
    std::uint64_t digest_ = proto::kFnvBasis;
    std::string bytes_;
};

void Play::start(const std::string& name) {
    if (alive_.contains(name) || starts_ == kMostStarts) return;
    ++starts_;
    const std::string seed = alive_.empty() ? "" : *alive_.begin();
    alive_.insert(name);
    net_.start(name, seed);
}

// ---- what must hold after every step -------------------------------------------

void Play::after_step(const std::string& node, const Core& core, const Actions& actions) {
    if (const auto over = core.over_bounds()) {
        std::fprintf(stderr, "over its bound at %s: %s\n", node.c_str(), over->c_str());
        MUSTER_CHECK(!over);
    }
    for (const auto& action : actions) note(action);
}

void Play::note(std::string_view bytes) {
    digest_ = proto::fnv1a(bytes, digest_);
}

void Play::note(const Action& action) {
    note(std::to_string(action.index()));
    const auto frame = [&](const proto::Message& message) {
        bytes_.clear();
        proto::encode(message, bytes_);
        MUSTER_CHECK(proto::decode(bytes_).ok());  // what a core says can be read
        note(bytes_);
    };
    if (const auto* publish = std::get_if<Publish>(&action)) {
        frame(publish->message);
    } else if (const auto* send = std::get_if<SendPeer>(&action)) {
        note(send->peer);
        frame(send->message);
    } else if (const auto* addressed = std::get_if<PublishTo>(&action)) {
        note(addressed->peer.name);
        frame(addressed->message);
    } else if (const auto* dial = std::get_if<Dial>(&action)) {
        note(dial->address);
        frame(dial->message);
    } else if (const auto* door = std::get_if<SendDoor>(&action)) {
        frame(door->message);
    } else if (const auto* deliver = std::get_if<Deliver>(&action)) {
        for (const auto& to : *deliver->to)
            for (const auto member : to.members) note(std::to_string(member.value));
    } else if (const auto* tell = std::get_if<TellWatcher>(&action)) {
        for (const auto& group : tell->event.groups) note(group.group.store + std::to_string(group.members.size()));
    } else if (const auto* text = std::get_if<Note>(&action)) {
        note(text->text);
    }
}

/// With keys each node is believed about itself alone: who is at the same position of its log has the same table.
void Play::check_tables() {
    if (!keys_) return;
    for (const auto& origin : alive_) {
        const Core& true_one = net_.core(origin);
        const NodeId id = true_one.self();
        const Seq position{true_one.status().seq};
        for (const auto& other : alive_) {
            if (other == origin) continue;
            const Core& core = net_.core(other);
            const auto nodes = core.nodes();
            const auto known =
                std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) { return node.id == id; });
            if (known == nodes.end()) continue;
            MUSTER_CHECK(core.applied(origin) <= position);
            if (core.applied(origin) != position) continue;
            for (const auto& group : words_.groups) {
                auto members = core.members(group, false);
                std::erase_if(members, [&](const Member& member) { return member.id.node != id; });
                MUSTER_CHECK(members.empty() || members == true_one.members(group, true));
            }
        }
    }
}

/// What is asked of a core between steps.
void Play::look() {
    const std::string name = node();
    Core& core = net_.core(name);
    const Group& group = input_.pick(words_.groups);
    const auto members = core.members(group, input_.flag());
    for (std::size_t i = 1; i < members.size(); ++i) MUSTER_CHECK(members[i - 1].id < members[i].id);
    (void)core.groups();
    MUSTER_CHECK(core.nodes().size() <= 4);
    MUSTER_CHECK(core.status().workers <= 2);
    check_tables();
}

// ---- strangers -------------------------------------------------------------------

/// As whom the connection of a stranger shows itself.
Sender Play::stranger(Channel channel) {
    if (!keys_ || channel == Channel::gossip) return {};
    switch (input_.below(4)) {
        case 0:
            return {Sender::Role::worker, input_.pick(words_.workers)};
        case 1:
            return {Sender::Role::observer, "o"};
        default:
            return {Sender::Role::node, std::string(1, static_cast<char>('x' + input_.below(3)))};
    }
}

void Play::prove(proto::PeerRecord& record) {
    if (!kLiars.contains(record.id.name)) return;
    Options options;
    options.notary = std::make_shared<sim::Notary>(kSecret, record.id.name);
    Context context(std::move(options));
    record.proof = proof_of(context, record);
}

void Play::seal(const std::string& origin, proto::Sealed& sealed) {
    const std::string liar = kLiars.contains(origin) ? origin : *kLiars.begin();
    sealed.signature = sim::Notary(kSecret, liar).sign(signed_bytes(sealed));
}

// ---- steps -----------------------------------------------------------------------

void Play::hear(proto::Message message) {
    const std::string to = node();
    MessageArrived arrived{static_cast<Channel>(input_.below(4)), {}, {}, std::move(message)};
    if (arrived.channel == Channel::door) arrived.connection = ConnectionId{1 + input_.below(kConnections)};
    if (arrived.channel == Channel::dial) arrived.address = input_.pick(words_.addresses);
    arrived.sender = stranger(arrived.channel);
    net_.call(to, std::move(arrived));
}

void Play::worker() {
    const std::string to = node();
    const ConnectionId connection{1 + input_.below(kConnections)};
    Client& client = clients_[to][connection];
    for (const auto& message : net_.take_sent(connection))
        if (const auto* welcome = std::get_if<proto::WorkerWelcome>(&message.body)) {
            client = {welcome->token, welcome->resumed ? client.seq : 0};
            words_.tokens.push_back(welcome->token);
            if (words_.tokens.size() > 8) words_.tokens.erase(words_.tokens.begin() + 1);
        }
    Dream dream(input_, words_);
    const std::string name = words_.workers[input_.below(2)];
    if (keys_) net_.worker_key = {input_.byte() < 224 ? Sender::Role::worker : Sender::Role::observer, name};
    switch (input_.below(8)) {
        case 0:
            return net_.from_worker(to, connection, name, client.token, 0,
                                    proto::WorkerHello{client.token, input_.number()});
        case 1:
            return net_.from_worker(to, connection, name, client.token, 0, proto::WorkerHeartbeat{input_.number()});
        case 2:
            return net_.from_worker(to, connection, name, client.token, 0, dream.body());
        case 3:
            return net_.from_worker(to, connection, name, client.token, ++client.seq,
                                    dream.one<proto::NotifyRequest>());
        case 4:
            return net_.from_worker(to, connection, name, client.token, ++client.seq, dream.one<proto::WatchRequest>());
        case 5:
            return net_.from_worker(to, connection, name, client.token, ++client.seq, dream.one<proto::LeaveRequest>());
        case 6:
            return net_.from_worker(to, connection, name, client.token, client.seq + input_.number(), dream.body());
        default:
            return net_.from_worker(to, connection, name, client.token, ++client.seq, dream.one<proto::JoinRequest>());
    }
}

void Play::call() {
    const std::string to = node();
    const CallId id{++calls_};
    const HandlerId handler{1 + input_.below(3)};
    const Group& group = input_.pick(words_.groups);
    Dream dream(input_, words_);
    Actions actions;
    switch (input_.below(10)) {
        case 0:
        case 1:
            return net_.call(
                to, LocalJoin{id, handler, group, input_.number(), dream.one<Member>().meta, input_.flag(), {}});
        case 2:
            return net_.call(to, LocalLeave{id, handler, group, {}, input_.number()});
        case 3:
            return net_.call(to, LocalLeave{id,
                                            input_.flag() ? kAnyHandler : handler,
                                            group,
                                            {MemberNumber{input_.number()}, MemberNumber{input_.number()}},
                                            1});
        case 4:
        case 5:
        case 6:
            return net_.call(to, LocalNotify{id,
                                             NotificationKind::created,
                                             group,
                                             {input_.pick(words_.data)},
                                             input_.flag(),
                                             milliseconds(100 * input_.below(8))});
        case 7:
            return net_.call(to, LocalWatch{WatchId{1 + input_.below(3)}, input_.flag() ? group : Group{}});
        case 8:
            return net_.call(to, LocalUnwatch{WatchId{1 + input_.below(3)}});
        default:
            return net_.call(to, HandlerGone{handler});
    }
}

/// Handlers return, or are told to have missed it: each delivery that somebody waits for once.
void Play::outcomes() {
    net_.handlers_return = input_.flag();
    if (net_.awaited.empty()) return;
    auto awaited = net_.awaited.front();
    net_.awaited.erase(net_.awaited.begin());
    if (!alive_.contains(awaited.node)) return;
    std::optional<MissReason> missed;
    if (input_.flag()) missed = MissReason::overflow;
    net_.call(awaited.node, HandlerOutcomes{{{awaited.fan_out, awaited.members, missed}}});
}

void Play::change_links() {
    const std::string at = node();
    const NodeId other = Dream(input_, words_).one<NodeId>();
    switch (input_.below(6)) {
        case 0:
            return net_.call(at, LinkUp{other});
        case 1:
            return net_.call(at, LinkLost{other});
        case 2:
            return net_.call(at, ProcessGone{other});
        case 3:
            return net_.call(at, ConnectionLost{ConnectionId{1 + input_.below(kConnections)}});
        case 4:
            cut_.insert({at, other.name});
            return;
        default:
            cut_.clear();
    }
}

void Play::pass_time() {
    constexpr int kSpans[] = {1, 10, 20, 60, 260, 520, 1100, 2600};
    const auto span = milliseconds(kSpans[input_.below(8)]);
    spent_ += span;
    net_.run(span);
    check_tables();
}

void Play::step_of_node() {
    const std::string at = node();
    switch (input_.below(4)) {
        case 0:
            return start("c");
        case 1:
            if (alive_.size() == 1) return;
            alive_.erase(at);
            clients_.erase(at);
            return net_.kill(at);
        case 2:
            if (alive_.size() == 1) return;
            alive_.erase(at);
            clients_.erase(at);
            return net_.stop_gracefully(at);
        default:
            return start(input_.flag() ? "a" : "b");
    }
}

void Play::step() {
    switch (input_.below(16)) {
        case 0:
        case 1:
        case 2:
        case 3:
            return hear(Dream(input_, words_).message());
        case 4:
            if (auto decoded = proto::decode(input_.bytes(input_.byte()))) hear(std::move(*decoded));
            return;
        case 5:
        case 6:
        case 7:
            return call();
        case 8:
        case 9:
        case 10:
            return worker();
        case 11:
            return outcomes();
        case 12:
            return change_links();
        case 13:
            return step_of_node();
        case 14:
            return look();
        default:
            return pass_time();
    }
}

std::uint64_t play(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    return Play(input).run();
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto digest = muster::fuzz::play(data, size);
    // The same again asks for the same; one in eight, since it takes as long again.
    if (size % 8 == 0) MUSTER_CHECK(muster::fuzz::play(data, size) == digest);
    return 0;
}
