#include "tests/versions/meaning.hpp"

#include <type_traits>

namespace muster::versions {
namespace {

using nlohmann::json;
using namespace proto;  // NOLINT(google-build-using-namespace): a line for each of its structs

// A line each, so that they read as the table that they are.
// clang-format off

json hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += digits[static_cast<unsigned char>(c) >> 4];
        text += digits[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

template <class E> requires std::is_enum_v<E>
json say(E value) { return static_cast<int>(value); }
json say(const std::string& value) { return value; }
template <class Tag> json say(const StrongId<Tag>& value) { return value.value; }
json say(const Meta& value) { return value.empty() ? json::object() : json(value); }
json say(const std::map<std::string, std::uint64_t>& value) { return value.empty() ? json::object() : json(value); }
json say(const Data& value) { return hex(value.msgpack); }
template <class T> json say(const std::vector<T>& values);

json say(const NodeId& m) { return {{"name", m.name}, {"incarnation", m.incarnation.value}}; }
json say(const Group& m) { return {{"store", m.store}, {"feature", m.feature}}; }
json say(const MemberId& m) { return {{"node", say(m.node)}, {"number", m.number.value}}; }
json say(const NumberRun& m) { return {{"first", m.first.value}, {"count", m.count}}; }
json say(const JoinRun& m) {
    return {{"first", m.first.value}, {"count", m.count}, {"worker", m.worker}, {"meta", say(m.meta)}};
}
json say(const GroupDelta& m) {
    return {{"group", say(m.group)}, {"reason", say(m.reason)}, {"joins", say(m.joins)}, {"leaves", say(m.leaves)}};
}
json say(const Delta& m) { return {{"changes", say(m.changes)}}; }
json say(const PeerRecord& m) {
    return {{"id", say(m.id)}, {"refutation", m.refutation}, {"state", say(m.state)}, {"address", m.address},
            {"control", m.control}, {"gossip", m.gossip}, {"seq", m.seq.value}, {"proof", hex(m.proof)}};
}
json say(const GroupRuns& m) { return {{"group", say(m.group)}, {"joins", say(m.joins)}}; }
/// Appended after 0.1.0.
void add_appended(json& says, const Notice& m) {
    if (m.group_seq != 0) says["group_seq"] = m.group_seq;
    if (m.life != 0) says["life"] = m.life;
    if (m.call != 0) says["call"] = m.call;
    if (m.repeated) says["repeated"] = true;
}
json say(const Notice& m) {
    json says = {{"kind", say(m.kind)}, {"group", say(m.group)}, {"data", say(m.data)}, {"from_node", say(m.from_node)},
            {"from_worker", m.from_worker}, {"seq", m.seq}, {"ticket", m.ticket}, {"newest", m.newest.value},
            {"wait_ms", m.wait_ms}};
    add_appended(says, m);
    return says;
}
json say(const Missed& m) { return {{"node", m.node}, {"members", m.members}, {"reason", say(m.reason)}}; }
json say(const NoticeReport& m) {
    return {{"ticket", m.ticket}, {"delivered", m.delivered}, {"missed", say(m.missed)}};
}
json say(const NoticesLost& m) { return {{"group", say(m.group)}, {"notices", m.notices}}; }
json say(const SharedNotice& m) { return say(*m); }
json say(const Replay::Aged& m) { return {{"age_ms", m.age_ms}, {"notice", say(m.notice)}}; }
json say(const Replay& m) {
    return {{"request", m.request}, {"entry", m.entry}, {"missed", m.missed}, {"at_least", m.at_least},
            {"last", m.last}, {"notices", say(m.notices)}};
}
json say(const ReplayRequest::Entry& m) { return {{"group", say(m.group)}, {"after", m.after}, {"age_ms", m.age_ms}}; }
json say(const RejoinRequest::Position& m) { return {{"node", say(m.node)}, {"group_seq", m.group_seq}}; }
json say(const RejoinRequest::Join& m) { return {{"count", m.count}, {"meta", say(m.meta)}, {"age_ms", m.age_ms}}; }
json say(const LinkItem& m) {
    constexpr const char* kinds[] = {"notice", "report", "lost", "replay"};
    return {{kinds[m.index()], std::visit([](const auto& item) { return say(item); }, m)}};
}
json say(const Member& m) { return {{"id", say(m.id)}, {"worker", m.worker}, {"meta", say(m.meta)}}; }
json say(const NodeInfo& m) {
    json says = {{"id", say(m.id)}, {"state", say(m.state)}, {"address", m.address}};
    if (m.workers != 0) says["workers"] = m.workers;
    if (m.draining) says["draining"] = true;
    return says;
}
json say(const GroupInfo& m) { return {{"group", say(m.group)}, {"members", m.members}}; }
json say(const GroupMembers& m) { return {{"group", say(m.group)}, {"members", say(m.members)}}; }
json say(const Status& m) {
    json says = {{"node", say(m.node)}, {"scope", m.scope}, {"ready", m.ready}, {"seq", m.seq}, {"groups", m.groups},
                 {"members", m.members}, {"workers", m.workers}, {"counters", say(m.counters)}};
    if (!m.silent_channels.empty()) says["silent_channels"] = m.silent_channels;  // appended after 0.1.0
    return says;
}
json say(const NotifyReport& m) {
    return {{"matched", m.matched}, {"nodes", m.nodes}, {"waited", m.waited}, {"delivered", m.delivered},
            {"missed", say(m.missed)}};
}
json say(const WatchEvent& m) { return {{"kind", say(m.kind)}, {"reason", say(m.reason)}, {"groups", say(m.groups)}}; }
json say(const Delivery& m) {
    const auto& n = *m.notice;
    json says = {{"kind", say(n.kind)}, {"group", say(n.group)}, {"data", say(n.data)}, {"from_node", say(n.from_node)},
            {"from_worker", n.from_worker}, {"seq", n.seq}, {"members", say(*m.members)}};
    add_appended(says, n);
    return says;
}
template <class T> json say(const std::vector<T>& values) {
    json all = json::array();
    for (const auto& value : values) all.push_back(say(value));
    return all;
}

json body(const Hello& m) {
    json body = {{"self", say(m.self)}};
    if (!m.expects.empty()) body["expects"] = m.expects;  // older versions have no such field
    return body;
}
json body(const Welcome& m) {
    json says = {{"self", say(m.self)}, {"known", m.known.value}, {"peers", say(m.peers)}};
    if (m.channels != 0) says["channels"] = m.channels;  // appended after 0.1.0, like others below
    return says;
}
json body(const Refuse& m) { return {{"code", say(m.code)}, {"text", m.text}}; }
json body(const Deltas& m) { return {{"about", say(m.about)}, {"first", m.first.value}, {"deltas", say(m.deltas)}}; }
json body(const Heartbeat& m) {
    json says = {{"refutation", m.refutation}, {"digest", m.digest}, {"membership", m.membership}};
    if (m.channels != 0) says["channels"] = m.channels;
    if (m.workers != 0) says["workers"] = m.workers;
    if (m.draining) says["draining"] = true;
    if (m.age_ms != 0) says["age_ms"] = m.age_ms;
    return says;
}
json body(const Goodbye&) { return json::object(); }
json body(const Forget& m) { return {{"node", say(m.node)}}; }
json body(const PeerNews& m) { return {{"peers", say(m.peers)}}; }
json body(const Pull& m) { return {{"about", say(m.about)}, {"have", m.have.value}, {"snapshot", m.snapshot}}; }
json body(const SnapshotChunk& m) {
    json says = {{"about", say(m.about)}, {"as_of", m.as_of.value}, {"digest", m.digest}, {"index", m.index},
                 {"count", m.count}, {"groups", say(m.groups)}};
    if (m.members != 0) says["members"] = m.members;
    return says;
}
json body(const SnapshotAck& m) { return {{"about", say(m.about)}, {"as_of", m.as_of.value}, {"next", m.next}}; }
json body(const Probe& m) { return {{"target", say(m.target)}, {"pass_on", m.pass_on}}; }
json body(const Heard& m) {
    return {{"target", say(m.target)}, {"digest", m.digest}, {"age_ms", m.age_ms}, {"beat", hex(m.beat)}};
}
json body(const Ping& m) { return {{"nonce", m.nonce}}; }
json body(const Pong& m) {
    json says = {{"nonce", m.nonce}, {"about", say(m.about)}, {"applied", m.applied.value}};
    if (m.digest != 0) says["digest"] = m.digest;
    if (m.channels != 0) says["channels"] = m.channels;
    return says;
}
json body(const LinkData& m) {
    return {{"to", say(m.to)}, {"first", m.first}, {"acked", m.acked}, {"items", say(m.items)}};
}
json body(const LinkAck& m) { return {{"to", say(m.to)}, {"acked", m.acked}}; }
json body(const Relay& m) { return {{"to", m.to}, {"message", hex(m.message)}, {"hops", m.hops}}; }
json body(const Sealed& m) {
    return {{"stamp", m.stamp}, {"message", hex(m.message)}, {"signature", hex(m.signature)}};
}
json body(const ReplayRequest& m) {
    return {{"to", say(m.to)}, {"number", m.number}, {"position", m.position.value}, {"entries", say(m.entries)}};
}
json body(const WorkerHello& m) {
    json says = {{"token", m.token.value}, {"received", m.received}};
    if (m.life != 0) says["life"] = m.life;
    return says;
}
json body(const Move& m) { return m.to.empty() ? json::object() : json{{"to", m.to}}; }
json body(const DrainRequest& m) { return {{"on", m.on}}; }
json body(const MoveRequest& m) { return {{"workers", m.workers}, {"to", m.to}}; }
json body(const RejoinRequest& m) {
    return {{"group", say(m.group)}, {"positions", say(m.positions)}, {"joins", say(m.joins)}, {"node", say(m.node)},
            {"away_ms", m.away_ms}};
}
json body(const WorkerHeartbeat& m) { return {{"received", m.received}}; }
json body(const WorkerGoodbye& m) { return m.moved ? json{{"moved", true}} : json::object(); }
json body(const JoinRequest& m) {
    return {{"group", say(m.group)}, {"count", m.count}, {"meta", say(m.meta)}, {"visible", m.visible},
            {"timeout_ms", m.timeout_ms}};
}
json body(const LeaveRequest& m) {
    return {{"group", say(m.group)}, {"members", say(m.members)}, {"count", m.count}};
}
json body(const MembersRequest& m) { return {{"group", say(m.group)}, {"local", m.local}}; }
json body(const GroupsRequest&) { return json::object(); }
json body(const NodesRequest&) { return json::object(); }
json body(const StatusRequest&) { return json::object(); }
json body(const NotifyRequest& m) {
    json says = {{"kind", say(m.kind)}, {"group", say(m.group)}, {"data", say(m.data)}, {"wait", m.wait},
                 {"timeout_ms", m.timeout_ms}};
    if (m.call != 0) says["call"] = m.call;
    if (m.repeated) says["repeated"] = true;
    return says;
}
json body(const WatchRequest& m) { return {{"group", say(m.group)}}; }
json body(const ForgetRequest& m) { return {{"node", m.node}}; }
json body(const UnwatchRequest& m) { return {{"watch", m.watch}}; }
json body(const WorkerWelcome& m) {
    json says = {{"token", m.token.value}, {"resumed", m.resumed}, {"heartbeat_ms", m.heartbeat_ms},
                 {"ttl_ms", m.ttl_ms}, {"grace_ms", m.grace_ms}, {"node", say(m.node)}, {"nodes", say(m.nodes)}};
    if (m.handover_ms != 0) says["handover_ms"] = m.handover_ms;
    if (m.takes_bundles) says["takes_bundles"] = true;
    return says;
}
json body(const NodeHeartbeat& m) { return m.settled == 0 ? json::object() : json{{"settled", m.settled}}; }
json body(const JoinReply& m) { return {{"members", say(m.members)}, {"unseen", m.unseen}}; }
json body(const LeaveReply& m) { return {{"members", say(m.members)}}; }
json body(const MembersReply& m) { return {{"members", say(m.members)}, {"last", m.last}}; }
json body(const GroupsReply& m) { return {{"groups", say(m.groups)}, {"last", m.last}}; }
json body(const NodesReply& m) { return {{"nodes", say(m.nodes)}}; }
json body(const StatusReply& m) { return {{"status", say(m.status)}}; }
json body(const NotifyReply& m) {
    json says = {{"report", say(m.report)}};
    if (m.settled != 0) says["settled"] = m.settled;
    return says;
}
json body(const DoneReply&) { return json::object(); }
json body(const ErrorReply& m) { return {{"code", say(m.code)}, {"text", m.text}}; }
json body(const Deliveries& m) { return {{"items", say(m.items)}}; }
json body(const Gap& m) {
    json says = {{"missed", m.missed}};
    if (m.at_least) says["at_least"] = true;
    return says;
}
json body(const WatchNews& m) { return {{"watch", m.watch}, {"event", say(m.event)}, {"last", m.last}}; }

#define NAME(Type) std::string name(const Type&) { return #Type; }
NAME(Hello) NAME(Welcome) NAME(Refuse) NAME(Deltas) NAME(Heartbeat) NAME(Goodbye) NAME(PeerNews) NAME(Forget) NAME(Pull)
NAME(SnapshotChunk) NAME(SnapshotAck) NAME(Probe) NAME(Heard) NAME(Ping) NAME(Pong) NAME(LinkData) NAME(LinkAck)
NAME(Relay) NAME(Sealed) NAME(WorkerHello) NAME(WorkerHeartbeat) NAME(WorkerGoodbye) NAME(JoinRequest)
NAME(LeaveRequest) NAME(MembersRequest) NAME(GroupsRequest) NAME(NodesRequest) NAME(StatusRequest) NAME(NotifyRequest)
NAME(WatchRequest) NAME(UnwatchRequest) NAME(ForgetRequest)
NAME(ReplayRequest) NAME(RejoinRequest) NAME(Move) NAME(DrainRequest) NAME(MoveRequest)
NAME(WorkerWelcome) NAME(NodeHeartbeat) NAME(JoinReply) NAME(LeaveReply)
NAME(MembersReply) NAME(GroupsReply) NAME(NodesReply) NAME(StatusReply) NAME(NotifyReply) NAME(DoneReply)
NAME(ErrorReply) NAME(Deliveries) NAME(Gap) NAME(WatchNews)
#undef NAME

// clang-format on

}  // namespace

std::string type_of(const Message& message) {
    return std::visit([](const auto& part) { return name(part); }, message.body);
}

json meaning(const Message& message) {
    const Header& header = message.header;
    return {
        {"type", type_of(message)}, {"scope", header.scope},
        {"origin", header.origin},  {"incarnation", header.incarnation},
        {"seq", header.seq},        {"body", std::visit([](const auto& part) { return body(part); }, message.body)}};
}

}  // namespace muster::versions
