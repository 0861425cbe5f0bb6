// Simulated hosts, each with at most one node: what the shell does in earnest
// (node/), done here in virtual time.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/core.hpp"
#include "tests/sim/handed.hpp"
#include "tests/sim/handlers.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/notary.hpp"
#include "tests/sim/profile.hpp"
#include "tests/sim/speech.hpp"

namespace muster::sim {

class Host;

/// The latest frames that nodes were given, to be given again: a network may keep anything back.
class Journal {
public:
    struct Entry {
        Host* host = nullptr;
        cluster::Channel channel = cluster::Channel::gossip;
        Frame frame;
    };
    void keep(Entry entry) {
        if (entries_.size() < kKept)
            entries_.push_back(std::move(entry));
        else
            entries_[next_++ % kKept] = std::move(entry);
    }
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

private:
    static constexpr std::size_t kKept = 512;
    std::vector<Entry> entries_;
    std::size_t next_ = 0;
};

/// Who watches the cores from outside: the model.
class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;
    virtual void started(Host& host) = 0;
    virtual void stepping(Host& host, const cluster::EventBody& event) = 0;
    virtual void stepped(Host& host, const cluster::Actions& actions) = 0;
    /// A handler inside the node has returned from a notification,
    virtual void handled(const Handed& handed) = 0;
    /// was told that it missed some,
    virtual void gap(Host& host, cluster::HandlerId handler, std::uint64_t missed) = 0;
    /// or had no room for one.
    virtual void dropped(Host& host, const Handed& handed) = 0;
    /// The host's life has ended; its core still stands to be read.
    virtual void ended(Host& host, bool gracefully) = 0;
};

/// What all parts of one run share.
struct World {
    World(const Profile& drawn, Random root, Transcript::Sink trace);

    Profile profile;
    Random random;
    Clockwork clock;
    Coverage coverage;
    Transcript transcript;
    Network network;
    Observer* observer = nullptr;
    /// Canary tests spoil what cores do with this.
    std::function<void(Host&, cluster::Actions&)> sabotage;
    /// A node has ended by its own decision: whoever looks after it may start it again.
    std::function<void(Host&)> stopped_by_itself;
    /// Keeps a frame from a host that was about to take it: true when it is withheld.
    std::function<bool(Host&, const cluster::MessageArrived&, const Frame&)> withhold;
    std::vector<std::unique_ptr<Host>> hosts;

    /// Hosts that may run a node under another host's name, or in another scope, when a run has such.
    std::vector<std::unique_ptr<Host>> impostors;
    Journal journal;
    /// In a run with keys: all nodes learn at once of keys that are replaced.
    std::shared_ptr<Replacements> replaced = std::make_shared<Replacements>();

    [[nodiscard]] bool trace() const { return transcript.verbose(); }
    void line(const std::string& who, const std::string& text) const { transcript.line(clock.now(), who, text); }
    /// The host that runs a node of this name, or else the one that should.
    Host* host_of(const std::string& name);
    /// Of the node of this name; none in a run without keys.
    [[nodiscard]] std::shared_ptr<Notary> notary_of(const std::string& name) const;
    /// All that run a node now.
    [[nodiscard]] std::vector<Host*> running() const;
    /// Adds the counters of a core that ends, or of the last look at it.
    void count_paths(const Host& host);
};

/// The watch that every node has from its first moment: all groups.
inline constexpr cluster::WatchId kMainWatch{1};

/// One machine with its name, its front door's address and, while it runs, its node.
class Host final : public Process {
public:
    Host(World& world, Place place, const Impostor& role);

    /// A new life.
    void start();
    /// From now on its clock, hence the incarnation of its lives, is an hour behind, or ahead.
    void set_clock_back() { behind_ = seconds(3600); }
    void set_clock_ahead() { behind_ = -seconds(3600); }
    void set_clock_right() { behind_ = Duration(0); }
    void crash();
    void shutdown();
    /// Asks its workers to go, shuts down when they have or after `most`, and then calls `ended`.
    void drain(Duration most, std::function<void()> ended);
    /// Not stepped for a while: time runs on, what arrives waits.
    void pause();
    void resume();
    /// Stopped for good: nobody is told, no connection ends, and it never speaks again.
    void freeze();
    [[nodiscard]] bool frozen() const { return frozen_; }
    /// An event from inside the process: a call.
    void call(cluster::EventBody event) { post({std::move(event), {}}); }

    /// A frame reaches its gossip or control socket out of nowhere, with somebody's key.
    void inject(cluster::Channel channel, const Frame& frame, cluster::Sender sender) {
        post({cluster::MessageArrived{channel, {}, {}, {}, std::move(sender)}, frame, true});
    }

    [[nodiscard]] bool running() const { return core_ != nullptr; }
    [[nodiscard]] const cluster::Core& core() const { return *core_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    /// Of another cluster, which must never learn of the first one.
    [[nodiscard]] bool is_stranger() const { return stranger_; }
    [[nodiscard]] const std::string& door() const { return door_; }
    /// The addresses of its present life's sockets, or of the last one's.
    [[nodiscard]] const std::string& control() const { return control_; }
    [[nodiscard]] const std::string& gossip() const { return gossip_; }
    /// The address of its front door as it tells it to others.
    [[nodiscard]] std::string advertised() const { return clone_ ? original().door() : door_; }
    /// Of the present or last life.
    [[nodiscard]] NodeId id() const { return core_ ? core_->self() : last_id_; }
    [[nodiscard]] std::uint64_t lives() const { return lives_; }
    /// How long its present life has lasted.
    [[nodiscard]] Duration age() const { return world_.clock.now() - started_; }
    /// When it was last stopped, so that lateness can be excused.
    [[nodiscard]] Duration last_pause() const { return stopped_ ? world_.clock.now() : last_pause_; }

    [[nodiscard]] Place place() const override { return place_; }
    [[nodiscard]] bool stopped() const override { return stopped_; }
    [[nodiscard]] cluster::Sender key() const override;
    void connected(ConnectorId connector) override;
    void from_server(ConnectorId connector, const Frame& frame) override;
    void accepted(ConnectionId connection, Port port, const NodeId& tag, const cluster::Sender& key) override;
    void dropped(ConnectionId connection, Port port) override;
    void renamed(ConnectionId connection, const NodeId& tag) override;
    void from_client(ConnectionId connection, Port port, const Frame& frame) override;

private:
    struct Input {
        cluster::EventBody event;
        Frame frame;           // of a MessageArrived, decoded when its turn has come
        bool hostile = false;  // need not decode
    };
    struct PeerLink {
        ConnectorId control;
        ConnectorId gossip;
    };

    void post(Input input);
    void post_later(Duration delay, Input input);
    void turn();
    void step(Input input);
    /// Gives the core the event, or makes the direct call that stands for it.
    void enter(cluster::EventBody&& body);
    void arm();
    void end(bool gracefully);
    void forget();
    [[nodiscard]] cluster::Instant core_time() const { return cluster::Instant(clock_offset_ + world_.clock.now()); }

    void perform(const cluster::Action& action);
    void record(const cluster::Action& action, std::string_view encoded);
    /// The frames that the message goes as: itself, and now and then, of a newer minor, one that nobody knows.
    std::vector<Frame> encoded(const cluster::Action& action, const proto::Message& message);
    void perform_one(const cluster::Action& action, const cluster::Publish& publish);
    void perform_one(const cluster::Action& action, const cluster::SendPeer& send);
    void perform_one(const cluster::Action& action, const cluster::PublishTo& publish);
    void perform_one(const cluster::Action& action, const cluster::Dial& dial);
    void perform_one(const cluster::Action& action, const cluster::SendDoor& send);
    void perform_one(const cluster::Action& action, const cluster::ConnectPeer& connect);
    void perform_one(const cluster::Action& action, const cluster::CheckProcess& check);
    void perform_one(const cluster::Action& action, const cluster::Note& note);
    void perform_one(const cluster::Action& action, const cluster::IdentityChanged& changed);
    template <class A>
    void perform_one(const cluster::Action& action, const A& other);
    void disconnect_peer(const std::string& peer);
    [[nodiscard]] const Host& original() const;
    [[nodiscard]] std::vector<std::string> seeds() const;

    World& world_;
    Place place_;
    std::string name_;
    std::string scope_;
    std::string door_;
    std::string control_;
    std::string gossip_;
    bool clone_;  // tells others the addresses of the host in World::hosts that has the same name
    bool stranger_;
    Random random_;
    std::unique_ptr<cluster::Core> core_;
    NodeId last_id_;
    NodeId performing_;  // the identity whose actions are being performed
    std::uint64_t lives_ = 0;
    Duration clock_offset_{0};
    Duration behind_{0};
    Duration started_{0};
    bool stopped_ = false;
    bool frozen_ = false;
    bool stepping_ = false;
    bool ending_ = false;
    bool stopped_by_core_ = false;
    Duration last_pause_{-3600'000'000};
    std::deque<Input> inbox_;
    cluster::Actions actions_;
    std::string scratch_;
    std::uint64_t steps_ = 0;
    std::uint64_t idle_ticks_ = 0;  // ticks in a row that did not move the deadline
    bool armed_ = false;
    Duration armed_at_{0};

    std::map<std::string, PeerLink> peers_;
    std::map<std::string, ConnectorId> dials_;
    std::map<std::string, std::vector<Frame>> greetings_;  // hellos that wait for their connection
    std::map<ConnectorId, std::string> dialled_;
    std::map<cluster::ConnectionId, ConnectionId> door_connections_;
    std::map<ConnectionId, cluster::ConnectionId> door_ids_;
    std::map<ConnectionId, NodeId> subscribers_;
    std::map<ConnectionId, cluster::Sender> senders_;  // of those that speak to its door and its control socket
    std::uint64_t made_door_ids_ = 0;
    Speech speech_;
    Handlers handlers_;
};

}  // namespace muster::sim
