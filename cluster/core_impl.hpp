// The parts of a core, and how an event passes through them. Private to core*.cpp.
//
//   1. A message, a call or a tick goes to the part that it concerns.
//   2. settle(): what a part produces for others (transitions of peers, updates of tables, ended sessions, outcomes,
//      answers) is carried to them, until there is nothing left.
//   3. With a tick only: tick() runs the timers, and flush() sends what was gathered since the last tick. So what many
//      messages of one turn of the loop cause leaves in few frames.
#pragma once

#include <map>
#include <string>

#include "cluster/base/context.hpp"
#include "cluster/core.hpp"
#include "cluster/delivery/fan_outs.hpp"
#include "cluster/delivery/handovers.hpp"
#include "cluster/delivery/links.hpp"
#include "cluster/delivery/notifier.hpp"
#include "cluster/delivery/recent.hpp"
#include "cluster/delivery/replays.hpp"
#include "cluster/delivery/reports.hpp"
#include "cluster/membership/channels.hpp"
#include "cluster/membership/detector.hpp"
#include "cluster/membership/discovery.hpp"
#include "cluster/membership/peers.hpp"
#include "cluster/replication/lookups.hpp"
#include "cluster/replication/pull_answers.hpp"
#include "cluster/replication/repair.hpp"
#include "cluster/replication/replicas.hpp"
#include "cluster/workers/local_members.hpp"
#include "cluster/workers/queries.hpp"
#include "cluster/workers/sessions.hpp"
#include "cluster/workers/visibility.hpp"
#include "cluster/workers/watches.hpp"

namespace muster::cluster {

inline constexpr std::size_t kPartCost = 4096;  // of a part of an answer, in bytes of Bounds::answer_bytes_per_turn

/// How a message of another node reached this one.
struct Provenance {
    std::string relay;                     // the node that forwarded it last; empty: it came from its origin directly
    std::uint64_t hops = 0;                // how many nodes forwarded it
    const proto::Message* seal = nullptr;  // the sealed message that it was in, with keys
    std::uint64_t stamp = 0;               // of the seal
};

/// Whether its origin sends a message to all nodes. Only such messages are forwarded under leases.
bool is_published(const proto::Message& message);

struct Core::Impl {
    explicit Impl(Options options);

    // core.cpp: events and time
    void step(Event& event, Actions& actions);
    Result<proto::NumberRun> join(Instant now, const LocalJoin& join, Actions& actions);
    Result<std::vector<MemberNumber>> leave(Instant now, const LocalLeave& leave, Actions& actions);
    void begin(Instant now, Actions& actions);
    void end();
    void allow_for_lateness();
    void settle();
    bool settle_once();
    void tick();
    void flush();
    void publish_news();
    void publish_heartbeat();
    void update_ready();
    void note_progress();
    void settle_calls();
    void drain();
    void begin_drain();
    void shut_down();
    [[nodiscard]] bool wants_flush() const;
    [[nodiscard]] bool has_met_all_peers() const;
    [[nodiscard]] bool has_served_all_peers() const;

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
    void on(const Drain&);
    void on(const Shutdown&) { shut_down(); }
    void answer(const Caller& caller, CallResult result);

    // core_nodes.cpp: messages of other nodes
    void on_door_message(MessageArrived& event);
    void on_dial_answer(MessageArrived& event);
    void on_gossip(proto::Message& message);
    void on_control(proto::Message& message);
    void on_node_message(proto::Message& message, Channel channel, const Provenance& provenance);
    void on_own_message(const proto::Message& message, Channel channel, const Provenance& provenance);
    void dispatch(proto::Message& message, const std::string& relay);
    void on_heartbeat(const NodeId& from, const proto::Heartbeat& beat, Seq seq);
    void on_link_data(const NodeId& from, proto::LinkData data);
    bool is_genuine(const proto::Message& message, const Sender& sender);
    bool is_known_life(const NodeId& from);
    bool is_fresh(const proto::Message& message, const Provenance& provenance);
    bool speaks_for_others(const NodeId& from, const proto::Body& body);
    void met(const proto::PeerRecord& record);
    void confirm_position(const NodeId& id, std::uint64_t refutation, Seq position);

    // core_lives.cpp: a change of this node's incarnation
    void adopt_incarnation(Incarnation incarnation);
    void end_life();
    void say_goodbye();

    // core_relays.cpp: what nodes do for each other where a direct way fails
    struct ProvenLife {
        Seq position;  // of the log of the node that lives
        std::uint64_t refutation = 0;
    };
    void on_probe(const NodeId& from, const proto::Probe& probe);
    void on_heard(const NodeId& from, const proto::Heard& heard);
    std::optional<ProvenLife> proven_life(const proto::Heard& heard);
    void on_relay(const NodeId& from, const proto::Relay& relay);
    void forward_relay(const NodeId& from, proto::Relay relay);
    void forward_to_lessees(const proto::Message& message, Channel channel, const Provenance& provenance);
    void end_leases();
    void lend_own_publications(const NodeId& to);
    void send_to_own_lessees();

    // core_workers.cpp: hellos, requests and queries of workers
    void worker_hello(const proto::Message& message, const Sender& sender, ConnectionId connection);
    [[nodiscard]] std::string why_not_ready() const;
    void request(Sessions::Request request);
    void query(Sessions::Request request);
    bool answer_part(Query& query);
    template <class Part>
    bool reply_part(const SessionRequest& id, Part part) {
        answer_bytes += kPartCost;
        const bool last = part.last;
        sessions.reply(id, std::move(part));
        return last;
    }
    void answer_queries();
    void drain_request(const Sessions::Request& request, const proto::DrainRequest& drain);
    void move_request(const Sessions::Request& request, const proto::MoveRequest& move);
    void forget_request(const Sessions::Request& request, const std::string& name);
    void join_request(const SessionRequest& id, const std::string& worker, const proto::JoinRequest& join);
    void rejoin_request(const SessionRequest& id, const std::string& worker, const proto::RejoinRequest& again);

    // core_views.cpp: what callers read
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
    Channels channels;
    Detector detector;
    Replicas replicas;
    PullAnswers pull_answers;
    Repair repair;
    LocalMembers local;
    Links links;
    Sessions sessions;
    Queries queries;
    std::size_t answer_bytes = 0;  // of answers to queries since the last flush
    Watches watches;
    Visibility visibility;
    Recent recent;
    Routes routes;
    Reports reports;
    Handovers handovers;
    FanOuts fan_outs;
    Replays replays;
    Notifier notifier;

    std::uint64_t own_stamp = 0;                                   // the highest stamp that came back to this node
    std::map<std::string, std::map<std::string, Instant>> leases;  // origin -> who gets its publications -> until
    bool started = false;
    bool ready = false;
    bool draining = false;
    bool leaving = false;         // it ends when it is drained
    bool had_workers = false;     // while draining
    Instant drain_quiet_since{};  // nobody has needed this node since
    bool stopping = false;
    bool stopped = false;
    Instant unseeded_ready_at{};     // ready then although no seed answers
    Instant unsynced_ready_at{};     // ready then although not all peers could be synced with
    Instant syncing_since = kNever;  // since then tables are missing
    Instant progress_due{};
    Duration progress_gap{};
    Instant tick_due{};
    Instant last_step{};
    std::size_t first_action = 0;  // of the step under way
    Instant heartbeat_due{};
    Instant proof_due{};
};

}  // namespace muster::cluster
