// The parts of a core and how an event passes through them. Private to core*.cpp.
//
//   message, call or tick -> the part it concerns
//   -> transitions of peers, updates of groups, ended sessions, outcomes and
//      answers are carried from part to part until nothing moves (settle)
//   -> with a tick: timers, then everything that was gathered leaves (flush)
#pragma once

#include <map>
#include <string>

#include "cluster/base/context.hpp"
#include "cluster/core.hpp"
#include "cluster/delivery/fan_outs.hpp"
#include "cluster/delivery/links.hpp"
#include "cluster/delivery/notifier.hpp"
#include "cluster/delivery/reports.hpp"
#include "cluster/membership/detector.hpp"
#include "cluster/membership/discovery.hpp"
#include "cluster/membership/peers.hpp"
#include "cluster/replication/lookups.hpp"
#include "cluster/replication/outgoing_snapshots.hpp"
#include "cluster/replication/repair.hpp"
#include "cluster/replication/replicas.hpp"
#include "cluster/workers/local_members.hpp"
#include "cluster/workers/queries.hpp"
#include "cluster/workers/sessions.hpp"
#include "cluster/workers/visibility.hpp"
#include "cluster/workers/watches.hpp"

namespace muster::cluster {

/// How a message of another node came: on its own, or passed on, last by `relay`.
struct Passage {
    std::string relay;
    std::uint64_t hops = 0;
    const proto::Message* seal = nullptr;  // that it came in
    std::uint64_t stamp = 0;               // of that
};

struct Core::Impl {
    explicit Impl(Options options);

    // core.cpp: events, time
    void step(Event& event, Actions& actions);
    Result<proto::NumberRun> join(Instant now, const LocalJoin& join, Actions& actions);
    Result<std::vector<MemberNumber>> leave(Instant now, const LocalLeave& leave, Actions& actions);
    void begin(Instant now, Actions& actions);
    void end();
    void notice_lateness();
    void settle();
    bool settle_once();
    void tick();
    void flush();
    void publish_news();
    void publish_heartbeat();
    void become_ready();
    void tell_progress();
    void shut_down();
    [[nodiscard]] bool wants_flush() const;
    [[nodiscard]] bool has_met_all_peers() const;

    void on(const Tick&);
    void on(MessageArrived& event);
    void on(const LinkUp& event);
    void on(const LinkLost& event) { detector.link_lost(event.peer); }
    void on(const ProcessGone& event) { detector.process_gone(event.peer); }
    void on(const ConnectionLost& event) { sessions.connection_lost(event.connection); }
    void on(const LocalJoin& event);
    void on(const LocalLeave& event);
    void on(const HandlerGone& event) { local.owner_gone(event.handler, Reason::left); }
    void on(const HandlerOutcomes& event) { fan_outs.record(event.outcomes); }
    void on(LocalNotify& event);
    void on(const LocalWatch& event) { watches.watch(event.watch, event.group); }
    void on(const LocalUnwatch& event) { watches.unwatch(event.watch); }
    void on(const Shutdown&) { shut_down(); }
    void answer(const Caller& caller, CallResult result);

    // core_nodes.cpp: what other nodes say
    void at_door(MessageArrived& event);
    void at_dial(MessageArrived& event);
    bool is_genuine(const proto::Message& message, const Sender& sender);
    void published(proto::Message& message);
    void from_node(proto::Message& message, Channel channel, const Passage& passage);
    void of_this_node(const proto::Message& message, Channel channel, const Passage& passage);
    bool is_fresh(const proto::Message& message, const Passage& passage);
    bool speaks_for_others(const NodeId& from, const proto::Body& body);
    void take(proto::Message& message, const std::string& relay);
    bool is_known_life(const NodeId& from);
    void adopt(Incarnation incarnation);
    void greeted(const proto::PeerRecord& record);
    void heartbeat(const NodeId& from, const proto::Message& message);
    void probe(const NodeId& from, const proto::Probe& probe);
    void heard(const NodeId& from, const proto::Heard& heard);
    struct LifeSign {
        Seq position;  // of its log
        std::uint64_t refutation = 0;
    };
    std::optional<LifeSign> sign_of_life(const proto::Heard& heard);
    void told_position(const NodeId& id, std::uint64_t refutation, Seq position);
    void relay(const NodeId& from, const proto::Relay& relay);
    void relay_onward(const NodeId& from, proto::Relay relay);
    void pass_on_to_lessees(const proto::Message& message, const Passage& passage);
    void link_data(const NodeId& from, proto::LinkData data);

    // core_workers.cpp: what workers ask
    void worker_hello(const proto::Message& message, const Sender& sender, ConnectionId connection);
    [[nodiscard]] std::string why_not_ready() const;
    void request(Sessions::Request request);
    void query(Sessions::Request request);
    void answer_query(const Sessions::Request& request);
    void answer_queries();
    void join_request(const SessionRequest& id, const std::string& worker, const proto::JoinRequest& join);
    void members_request(const SessionRequest& id, const proto::MembersRequest& request);
    void groups_request(const SessionRequest& id);

    // Queries, in core.cpp
    [[nodiscard]] NodeInfo self_info() const;
    [[nodiscard]] std::vector<NodeInfo> nodes() const;
    [[nodiscard]] std::vector<GroupInfo> groups() const;
    [[nodiscard]] Status status() const;
    [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;
    [[nodiscard]] std::vector<NodeView> views(Instant now) const;
    [[nodiscard]] GroupsPart groups_part(std::uint64_t from, std::uint64_t most) const;

    Context ctx;
    Peers peers;
    Discovery discovery;
    Detector detector;
    Replicas replicas;
    OutgoingSnapshots snapshots;
    Repair repair;
    LocalMembers local;
    Links links;
    Sessions sessions;
    Queries queries;
    std::size_t answered = 0;  // bytes of answers to queries since the last flush
    Watches watches;
    Visibility visibility;
    Routes routes;
    Reports reports;
    FanOuts fan_outs;
    Notifier notifier;

    std::uint64_t own_stamp = 0;                                   // newest that came back to this node
    std::map<std::string, std::map<std::string, Instant>> leases;  // relayed origin -> lessee -> until
    bool started = false;
    bool ready = false;
    bool stopping = false;
    bool stopped = false;
    Instant ready_deadline{};        // seeds in vain
    Instant ready_patience{};        // peers that do not sync
    Instant syncing_since = kNever;  // tables are missing since then
    Instant progress_due{};
    Duration progress_gap{};
    Instant tick_due{};
    Instant observed{};  // last step
    Instant heartbeat_due{};
    Instant proof_due{};
};

}  // namespace muster::cluster
