#include "tests/unit/proto/samples.hpp"

#include <cstdint>
#include <utility>

#include "proto/limits.hpp"

namespace muster::proto::test {
namespace {

constexpr std::uint64_t kMax = UINT64_MAX;

NodeId node(const std::string& name = "a", std::uint64_t incarnation = 1700000000000001) {
    return {name, Incarnation{incarnation}};
}
Group group() {
    return {"orders", "subscriptions"};
}
Data data() {
    return {std::string("\x82\xa2id\x07\xa4name\xa3x-1")};
}

PeerRecord record() {
    return {
        node("b", 1700000000000002), 2, NodeState::suspect, "10.0.0.2:7100", "10.0.0.2:7101", "10.0.0.2:7102", Seq{41}};
}
JoinRun run() {
    return {MemberNumber{5}, 3, "w-1", {{"pid", "17"}, {"zone", "eu"}}};
}
Delta delta() {
    return {{{group(), Reason::left, {run()}, {}}, {group(), Reason::worker_down, {}, {{MemberNumber{2}, 2}}}}};
}
Notice notice() {
    return {NotificationKind::updated, group(), data(), node(), "w-1", 9, 4, MemberNumber{6}, 5000, 8, 77, 3, true};
}
NoticeReport report() {
    return {4, 2, {{"b", 1, MissReason::overflow}}};
}
NoticesLost lost() {
    return {group(), 3};
}
Replay replay() {
    return {2, 1, 3, true, true, {{40, notice()}}};
}
Member member() {
    return {{node(), MemberNumber{5}}, "w-1", {{"zone", "eu"}}};
}
NodeInfo info() {
    return {node(), NodeState::alive, "10.0.0.1:7100", 12, true};
}
Delivery delivery(Notice notice, std::vector<MemberNumber> members) {
    return {std::move(notice), std::make_shared<const std::vector<MemberNumber>>(std::move(members))};
}
Delivery delivery() {
    return delivery({NotificationKind::deleted, group(), data(), node("b"), "w-2", 12, 0, {}, 0, 8, 77, 3, true},
                    {MemberNumber{5}, MemberNumber{6}});
}
Status status() {
    return {info(),
            "default",
            true,
            41,
            2,
            7,
            1,
            {{"bad_field", 1}, {"malformed", 0}},
            {"from this node to the gossip port of c"}};
}

// The other end of the same parts.
const std::string kLongName(limits::kName, 'n');
const std::string kLongPart(limits::kGroupPart, 'p');
const std::string kLongAddress(limits::kAddress, 'h');
const std::string kLongText(limits::kText, 't');

NodeId far_node() {
    return {kLongName, Incarnation{kMax}};
}
Group far_group() {
    return {kLongPart, "\xf0\x9f\x90\x9f\xc3\xa9\xe2\x82\xac"};
}
Meta far_meta() {
    Meta meta{{"", ""}};
    while (meta.size() < limits::kMetaEntries)
        meta.emplace(std::string(limits::kMetaBytes, static_cast<char>('a' + meta.size())),
                     std::string(limits::kMetaBytes, 'v'));
    return meta;
}
Data far_data() {
    std::string deep(limits::kDataDepth - 1, '\x91');
    return {deep + '\x90'};
}
Data large_data() {
    // bin32 that, with its own header, fills the limit exactly.
    const std::size_t body = limits::kData - 5;
    std::string bytes("\xc6\x00", 2);
    bytes += static_cast<char>(body >> 16);
    bytes += static_cast<char>(body >> 8 & 255);
    bytes += static_cast<char>(body & 255);
    return {bytes + std::string(body, 'd')};
}
PeerRecord far_record() {
    return {far_node(), kMax, NodeState::left, kLongAddress, kLongAddress, kLongAddress, Seq{kMax}};
}
JoinRun far_run() {
    return {MemberNumber{kMax - limits::kMembersPerCall}, limits::kMembersPerCall, kLongName, far_meta()};
}
Member far_member() {
    return {{far_node(), MemberNumber{kMax}}, "", far_meta()};
}

class Builder {
public:
    explicit Builder(Header header) : header_(std::move(header)) {}
    template <class Part>
    Builder& add(const char* name, Part part) {
        samples_.push_back({name, {header_, std::move(part)}});
        return *this;
    }
    std::vector<Sample> take() { return std::move(samples_); }

private:
    Header header_;
    std::vector<Sample> samples_;
};

void add_node_messages(Builder& b) {
    b.add("Hello", Hello{record()})
        .add("Welcome", Welcome{record(), Incarnation{17}, {record()}, 3})
        .add("Refuse", Refuse{ErrorCode::wrong_scope, "this node's scope is default"})
        .add("Deltas", Deltas{node(), Seq{7}, {delta()}})
        .add("Heartbeat", Heartbeat{1, 0x1122334455667788, 3, 1, 12, true, 70000})
        .add("Goodbye", Goodbye{})
        .add("PeerNews", PeerNews{{record()}})
        .add("Forget", Forget{node("b")})
        .add("Pull", Pull{node("b"), Seq{6}, true})
        .add("SnapshotChunk", SnapshotChunk{node(), Seq{41}, 99, 1, 3, {{group(), {run()}}}, 3})
        .add("SnapshotAck", SnapshotAck{node(), Seq{41}, 2})
        .add("Probe", Probe{node("c"), true})
        .add("Heard", Heard{record(), 99, 120})
        .add("Ping", Ping{77})
        .add("Pong", Pong{77, node("c"), Seq{8}, 0x1122334455667788, 5})
        .add("LinkData", LinkData{node("b"), 3, 2, {notice(), report(), lost(), replay()}})
        .add("LinkAck", LinkAck{node("b"), 4})
        .add("ReplayRequest", ReplayRequest{node("b"), 2, Seq{9}, {{group(), 4, 5000}}})
        .add("Relay", Relay{"c", std::string("\x97\x01\x00\xff", 4), 3})
        .add("Sealed", Sealed{12, std::string("\x97\x01\x00\xff", 4), std::string(64, '\x5a')});
}

void add_worker_messages(Builder& b) {
    b.add("WorkerHello", WorkerHello{SessionToken{31}, 12, 77})
        .add("WorkerHeartbeat", WorkerHeartbeat{12})
        .add("WorkerGoodbye", WorkerGoodbye{true})
        .add("JoinRequest", JoinRequest{group(), 3, {{"zone", "eu"}}, true, 2000})
        .add("RejoinRequest",
             RejoinRequest{group(), {{node(), 8}}, {{2, {{"zone", "eu"}}, 900}, {1, {}, 20}}, node("b"), 1200})
        .add("LeaveRequest", LeaveRequest{group(), {MemberNumber{5}, MemberNumber{7}}, 2})
        .add("MembersRequest", MembersRequest{group(), true})
        .add("GroupsRequest", GroupsRequest{})
        .add("NodesRequest", NodesRequest{})
        .add("StatusRequest", StatusRequest{})
        .add("NotifyRequest", NotifyRequest{NotificationKind::updated, group(), data(), true, 1000, 3, true})
        .add("WatchRequest", WatchRequest{group()})
        .add("UnwatchRequest", UnwatchRequest{4})
        .add("ForgetRequest", ForgetRequest{"b"})
        .add("DrainRequest", DrainRequest{false})
        .add("MoveRequest", MoveRequest{3, "b@10.0.0.2:7100"});
}

void add_answers(Builder& b) {
    b.add("WorkerWelcome",
          WorkerWelcome{SessionToken{31}, true, 500, 2000, 1000, info(), {"10.0.0.2:7100"}, 30000, true})
        .add("NodeHeartbeat", NodeHeartbeat{3})
        .add("Move", Move{"b@10.0.0.2:7100"})
        .add("JoinReply", JoinReply{{{MemberNumber{5}, 3}}, 1})
        .add("LeaveReply", LeaveReply{{MemberNumber{5}, MemberNumber{7}}})
        .add("MembersReply", MembersReply{{member()}, true})
        .add("GroupsReply", GroupsReply{{{group(), 3}}, false})
        .add("NodesReply", NodesReply{{info()}})
        .add("StatusReply", StatusReply{status()})
        .add("NotifyReply", NotifyReply{{3, 2, true, 2, {{"b", 1, MissReason::timeout}}}, 3})
        .add("DoneReply", DoneReply{})
        .add("ErrorReply", ErrorReply{ErrorCode::not_joined, "no member of orders/subscriptions to leave"})
        .add("Deliveries", Deliveries{{delivery(), delivery()}})
        .add("Gap", Gap{3, true})
        .add("WatchNews", WatchNews{6, {WatchEvent::Kind::leave, Reason::node_down, {{group(), {member()}}}}, true});
}

void add_extreme_node_messages(Builder& b) {
    const Group far = far_group();
    b.add("Hello", Hello{far_record(), far_node().name})
        .add("Hello", Hello{{node("0"), 0, NodeState::alive, "", "", "", Seq{}}})
        .add("Welcome", Welcome{far_record(), Incarnation{kMax}, std::vector<PeerRecord>(300, far_record())})
        .add("Welcome", Welcome{far_record(), Incarnation{}, {}, kMax})
        .add("Refuse", Refuse{ErrorCode::closed, kLongText})
        .add("Refuse", Refuse{ErrorCode::bad_request, ""})
        .add("Deltas", Deltas{far_node(), Seq{kMax}, {}})
        .add("Deltas", Deltas{far_node(), Seq{1}, std::vector<Delta>(limits::kItems, Delta{})})
        .add("Deltas", Deltas{far_node(), Seq{1}, {{{{far, Reason::node_left, {far_run()}, {}}}}}})
        .add("Heartbeat", Heartbeat{kMax, kMax, kMax, kMax, kMax, true, kMax})
        .add("PeerNews", PeerNews{})
        .add("Forget", Forget{far_node()})
        .add("Pull", Pull{far_node(), Seq{kMax}, false})
        .add("SnapshotChunk",
             SnapshotChunk{far_node(), Seq{kMax}, kMax, kMax, kMax, {{far, {far_run()}}, {far, {}}}, kMax})
        .add("SnapshotAck", SnapshotAck{far_node(), Seq{kMax}, kMax})
        .add("Probe", Probe{far_node(), false})
        .add("Heard", Heard{far_record(), kMax, kMax})
        .add("Ping", Ping{kMax})
        .add("Pong", Pong{0, far_node(), Seq{}, kMax, kMax})
        .add("LinkData", LinkData{far_node(), kMax, 0, {}})
        .add("LinkData", LinkData{far_node(),
                                  1,
                                  kMax,
                                  {Notice{NotificationKind::deleted, far, large_data(), far_node(), "", kMax, kMax,
                                          MemberNumber{kMax}, kMax},
                                   NoticeReport{kMax, kMax, {}}, NoticesLost{far, kMax}}})
        .add("LinkData",
             LinkData{far_node(),
                      1,
                      kMax,
                      {Replay{kMax, kMax, kMax, false, false, {}},
                       Replay{1,
                              0,
                              0,
                              false,
                              false,
                              {{kMax, Notice{NotificationKind::deleted, far, far_data(), far_node(), kLongName, kMax,
                                             kMax, MemberNumber{kMax}, kMax, kMax, kMax, kMax, true}}}}}})
        .add("ReplayRequest", ReplayRequest{far_node(), kMax, Seq{kMax}, {{far, kMax, kMax}, {far, 0, 0}}})
        .add("ReplayRequest", ReplayRequest{far_node(), 0, Seq{}, {}})
        .add("LinkAck", LinkAck{far_node(), kMax})
        .add("Relay", Relay{kLongName, std::string(limits::kFrame - 256, '\xc1'), UINT64_MAX})
        .add("Relay", Relay{"c", "", 0})
        .add("Sealed", Sealed{kMax, std::string(limits::kFrame - 256, '\xc1'), std::string(limits::kSignature, '\0')})
        .add("Sealed", Sealed{});
}

void add_extreme_worker_messages(Builder& b) {
    const Group far = far_group();
    b.add("WorkerHello", WorkerHello{SessionToken{kMax}, kMax})
        .add("WorkerHeartbeat", WorkerHeartbeat{kMax})
        .add("WorkerGoodbye", WorkerGoodbye{})
        .add("JoinRequest", JoinRequest{far, kMax, far_meta(), false, kMax})
        .add("RejoinRequest", RejoinRequest{far, {{far_node(), kMax}}, {{kMax, far_meta(), kMax}}, far_node(), kMax})
        .add("RejoinRequest", RejoinRequest{far, {}, {}, far_node(), 0})
        .add("LeaveRequest", LeaveRequest{far, std::vector<MemberNumber>(limits::kItems, MemberNumber{kMax}), 0})
        .add("LeaveRequest", LeaveRequest{far, {}, kMax})
        .add("MembersRequest", MembersRequest{far, false})
        .add("NotifyRequest", NotifyRequest{NotificationKind::deleted, far, far_data(), false, kMax})
        .add("NotifyRequest", NotifyRequest{NotificationKind::created, far, large_data(), false, 0})
        .add("WatchRequest", WatchRequest{})
        .add("UnwatchRequest", UnwatchRequest{kMax})
        .add("ForgetRequest", ForgetRequest{far_node().name})
        .add("DrainRequest", DrainRequest{true})
        .add("MoveRequest", MoveRequest{kMax, std::string(limits::kAddress, 'a')})
        .add("MoveRequest", MoveRequest{0, ""});
}

void add_extreme_answers(Builder& b) {
    const Group far = far_group();
    b.add("Move", Move{std::string(limits::kAddress, 'a')})
        .add("WorkerWelcome",
             WorkerWelcome{
                 SessionToken{kMax}, false, kMax, kMax, kMax, {far_node(), NodeState::left, ""}, {kLongAddress, ""}})
        .add("WorkerWelcome", WorkerWelcome{SessionToken{1}, false, 0, 0, 0, info(), {}})
        .add("NodeHeartbeat", NodeHeartbeat{kMax})
        .add("JoinReply", JoinReply{{}, kMax})
        .add("JoinReply", JoinReply{{{MemberNumber{kMax - 1}, 1}}, 0})
        .add("LeaveReply", LeaveReply{})
        .add("MembersReply", MembersReply{{far_member()}, false})
        .add("MembersReply", MembersReply{})
        .add("GroupsReply", GroupsReply{{{far, kMax}}, true})
        .add("NodesReply", NodesReply{})
        .add("StatusReply",
             StatusReply{{{far_node(), NodeState::down, kLongAddress}, "", false, kMax, kMax, kMax, kMax, {}}})
        .add("NotifyReply", NotifyReply{{kMax, kMax, false, kMax, {}}})
        .add("ErrorReply", ErrorReply{ErrorCode::closed, kLongText})
        .add("Deliveries", Deliveries{})
        .add("Deliveries",
             Deliveries{{delivery({NotificationKind::created, far, large_data(), far_node(), "", kMax, 0, {}, 0}, {})}})
        .add("Deliveries",
             Deliveries{{delivery({NotificationKind::created, far, far_data(), far_node(), kLongName, kMax, 0, {}, 0},
                                  std::vector<MemberNumber>(limits::kItems, MemberNumber{1}))}})
        .add("Gap", Gap{kMax})
        .add("WatchNews", WatchNews{kMax, {}, false})
        .add("WatchNews", WatchNews{1, {WatchEvent::Kind::join, Reason::moved, {{far, {far_member()}}}}, true});
}

}  // namespace

const std::vector<Sample>& ordinary_samples() {
    static const std::vector<Sample> samples = [] {
        Builder builder({"default", "a", 1700000000000001, 42});
        add_node_messages(builder);
        add_worker_messages(builder);
        add_answers(builder);
        return builder.take();
    }();
    return samples;
}

const std::vector<Sample>& extreme_samples() {
    static const std::vector<Sample> samples = [] {
        Builder builder({std::string(limits::kScope, 's'), kLongName, kMax, kMax});
        add_extreme_node_messages(builder);
        add_extreme_worker_messages(builder);
        add_extreme_answers(builder);
        return builder.take();
    }();
    return samples;
}

std::vector<Sample> all_samples() {
    auto samples = ordinary_samples();
    samples.insert(samples.end(), extreme_samples().begin(), extreme_samples().end());
    return samples;
}

}  // namespace muster::proto::test
