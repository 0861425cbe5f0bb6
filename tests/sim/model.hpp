// Watches every step of every core and holds it against the truth: the
// invariants of the simulation. Throws a Violation at the step that breaks one.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/notices.hpp"
#include "tests/sim/truth.hpp"
#include "tests/sim/world.hpp"

namespace muster::sim {

class Model final : public Observer {
public:
    /// Judges a core that lets a worker go: whether that worker was, for all it
    /// could know, well and attached with this session.
    using WasWell = std::function<bool(const std::string& worker, const Host& host, std::uint64_t token)>;
    /// Whether that worker is attached to this host with this session.
    using IsAttached = WasWell;

    explicit Model(World& world)
        : world_(world),
          continuity_(world.profile.handover_window -
                      std::min<Duration>(kHandoverTakes, world.profile.handover_window)),
          notices_(truth_, continuity_) {}
    void judge_workers_with(WasWell was_well, IsAttached is_attached) {
        was_well_ = std::move(was_well);
        is_attached_ = std::move(is_attached);
    }

    void started(Host& host) override;
    void stepping(Host& host, const cluster::EventBody& event) override;
    void stepped(Host& host, const cluster::Actions& actions) override;
    void handled(const Handed& handed) override;
    void gap(Host& host, cluster::HandlerId handler, std::uint64_t missed) override;
    void dropped(Host& host, const Handed& handed) override;
    void ended(Host& host, bool gracefully) override;

    Truth& truth() { return truth_; }
    Notices& notices() { return notices_; }
    Continuity& continuity() { return continuity_; }
    [[nodiscard]] Life* life_of(const Host& host);
    cluster::CallId next_call() { return cluster::CallId{++last_call_}; }
    /// Handlers of this node that own members now.
    [[nodiscard]] std::vector<std::pair<Owner, Group>> held_by_handlers(const Host& host);
    /// The watchers that a test has asked for at this node, the main one left out.
    [[nodiscard]] std::vector<cluster::WatchId> watches(const Host& host) const;

    /// Why the cluster is not in its final state yet; nothing when it is. What
    /// is owed to members is told by Notices::owed.
    [[nodiscard]] std::optional<std::string> unsettled();
    /// Compares all of a node's views with its table.
    void compare_views(const Host& host) const;

private:
    struct Call {
        enum class Kind { join, leave, notify };
        Kind kind = Kind::join;
        Duration deadline{0};
        std::set<std::uint64_t> numbers;  // joined, or to leave
        bool invalid = false;
        bool wait = false;
        std::uint64_t notification = 0;
    };
    /// A join that waits to be visible: to these nodes, which were live then.
    struct Awaited {
        std::set<NodeId> nodes;
        Duration since{0};
    };
    /// What a node knows of another.
    struct Belief {
        NodeId id;                     // in the life that it last noted up
        bool live = false;             // by its notes
        Duration heard{-1};            // last message of that life's own, while believed live
        Duration published{-1};        // last publication at its gossip port, the same
        Duration lost{-1};             // its connection ended last
        bool denies = false;           // its last report says that it hears nothing of the node
        Duration reports{-1};          // its last report that it hears the node; or when it came up
        std::uint64_t stamp = 0;       // of the newest publication of that life, in a run with keys
        NodeId dead;                   // the last life that it called down,
        std::uint64_t refutation = 0;  // and after how many refutations of that life
    };
    /// What is known of a node while it lives.
    /// A members request that has no whole answer.
    struct Asked {
        Group group;
        bool local = false;
        std::vector<Member> first;  // the members when the first part left
        std::vector<Member> told;
        std::uint64_t parts = 0;
        std::uint64_t step = 0;  // of the first part
    };
    struct Watched {
        Life* life = nullptr;
        std::map<std::uint64_t, View> views;  // by watch
        std::map<std::uint64_t, Call> calls;
        std::map<std::string, Seq> applied;  // by node name
        std::map<std::string, Incarnation> incarnation;
        std::map<std::string, Duration> parted;                      // when it last noted a node down or left
        std::map<std::uint64_t, Awaited> awaited;                    // by the first number joined
        std::set<std::pair<std::uint64_t, std::uint64_t>> requests;  // (token, number) that have joined
        std::map<std::string, Belief> beliefs;                       // by node name
        std::map<std::string, NodeId> at_gossip;                     // address -> the life connected to there
        std::optional<std::uint64_t> refuting;                       // log position at a refutation not published yet
        std::map<std::uint64_t, Duration> spoke;                     // token -> when its worker was last heard
        std::map<std::uint64_t, std::uint64_t> untold;               // handler -> members it has missed
        std::set<std::pair<std::string, NodeState>> parting;         // nodes whose members leave in later turns
        std::set<std::uint64_t> leaving;                             // own members that leave in later turns
        std::uint64_t steps = 0;
        std::map<std::pair<std::uint64_t, std::uint64_t>, Asked> asked;  // by connection and number of the request
    };
    /// The step under way.
    struct Cause {
        std::optional<cluster::EventBody> event;  // kept when it may change own members
        std::set<std::uint64_t> to_leave;
        std::vector<std::uint64_t> joined;
        std::map<std::uint64_t, Reason> left;
        std::set<std::string> overflowed;                    // workers
        std::set<std::pair<std::string, NodeState>> parted;  // nodes noted down or left
        std::string goodbye;                                 // the node that says it, if one does
        bool refused = false;                                // a worker's message was
        bool unknown_session = false;                        // because its session is not known
        std::optional<NodeId> earlier_life;                  // the node took another incarnation than this
    };

    /// Whether the members may leave in later turns, because they did not fit the work of this one.
    static bool may_leave_later(Watched& watched, Host& host, const std::set<std::uint64_t>& members);
    void open_call(Watched& watched, const cluster::EventBody& event, Host& host);
    void open_request(Watched& watched, const proto::Message& message, Host& host);
    void own_changes(Watched& watched, const WatchEvent& event);
    void see_members_of_workers(const Watched& watched, const WatchEvent& event);
    void bind(Watched& watched, const Group& group, const Member& member);
    void see(Watched& watched, Host& host, const cluster::Action& action);
    void see_answer(Watched& watched, const cluster::Answer& answer);
    void wait_for_all(Watched& watched, Host& host);
    void check_visible(Watched& watched, const std::set<std::uint64_t>& numbers);
    void see_reply(Watched& watched, Host& host, const cluster::SendDoor& send);
    void see_members(Watched& watched, Host& host, const cluster::SendDoor& send);
    void see_note(Watched& watched, Host& host, const cluster::Note& note);
    void judge_joins(Watched& watched);
    void judge_leaves(Watched& watched, Host& host);
    void judge_worker_down(Watched& watched, Host& host);
    void hear(Watched& watched, const cluster::MessageArrived& arrived);
    void hear_through_others(Watched& watched, const proto::Message& message) const;
    [[nodiscard]] bool refuses_for_another(const Belief& belief) const;
    [[nodiscard]] bool is_unreached(const Belief& belief) const;
    [[nodiscard]] bool could_reconnect(const Host& host, const Belief& belief) const;
    [[nodiscard]] bool is_own_word(Belief& belief, const cluster::MessageArrived& arrived) const;
    void hear_worker(Watched& watched);
    void see_news(Watched& watched, const proto::PeerNews& news);
    void see_reasons(Watched& watched, const WatchEvent& event);
    void see_new_life(Watched& watched, const NodeId& id);
    [[nodiscard]] std::optional<std::string> met_strangers(const Host& host) const;
    void judge_connect(Watched& watched, const cluster::ConnectPeer& connect);
    void judge_stop(const Watched& watched, const Host& host) const;
    void see_successor(Watched& watched, const Host& host, const std::string& name) const;
    void judge_note(Watched& watched, const Host& host, const cluster::Note& note);
    void check_returned(Watched& watched, const cluster::Core& core, const Life& life);
    [[nodiscard]] std::optional<std::string> left_over(const Watched& watched, const Host& host) const;
    void check_log(Watched& watched, Host& host);
    [[nodiscard]] std::optional<std::string> unsettled_at(Watched& watched, Host& host);
    [[nodiscard]] const proto::Message* door_message() const;
    [[noreturn]] void fail(const Watched& watched, const std::string& what) const;

    static constexpr Duration kHandoverTakes = seconds(10);  // at most, where nodes are cut off meanwhile

    World& world_;
    Truth truth_;
    Continuity continuity_;
    Notices notices_;
    WasWell was_well_;
    IsAttached is_attached_;
    std::map<Place, Watched> watched_;
    Cause cause_;
    std::uint64_t last_call_ = 0;
};

}  // namespace muster::sim
