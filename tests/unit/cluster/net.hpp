// A few cores on a perfect network: what one node sends, the others receive immediately. For the rules of a running
// cluster; the simulator has the faults.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/base/caller.hpp"
#include "cluster/core.hpp"

namespace muster::cluster::test {

// Names that most tests use.
inline const Group kOrders{"orders", "subscriptions"};
inline constexpr HandlerId kMe{1};
inline constexpr HandlerId kYou{2};
inline constexpr ConnectionId kConnection{9};

class Net {
public:
    explicit Net(std::function<void(Options&)> adjust_options = {}) : adjust(std::move(adjust_options)) {}

    /// Starts a node with the node `seed` as its seed, or without one.
    void start(const std::string& name, const std::string& seed = {});
    /// Ends a node's process: its links break, and its ports refuse connections.
    void kill(const std::string& name);
    void stop_gracefully(const std::string& name);
    /// Lets virtual time pass, in steps of at most 10 ms.
    void run(Duration duration);
    /// Delivers messages and steps ticks until nothing more is due.
    void pump();

    /// Steps one event at a node, then pumps.
    void call(const std::string& node, EventBody body);
    CallResult join(const std::string& node, HandlerId handler, const Group& group, std::uint64_t count = 1,
                    Meta meta = {}, bool visible = false);
    CallResult leave(const std::string& node, HandlerId handler, const Group& group, std::uint64_t count = 1);
    CallResult notify(const std::string& node, const Group& group, const std::string& data, bool wait = false);

    /// Sends a worker's message to a node over a connection.
    void from_worker(const std::string& node, ConnectionId connection, const std::string& worker, SessionToken token,
                     std::uint64_t seq, proto::Body body);
    /// The messages that were sent over a connection since the last call.
    std::vector<proto::Message> take_sent(ConnectionId connection);

    Core& core(const std::string& node) { return *nodes_.at(node).core; }
    std::vector<std::string> members(const std::string& node, const Group& group);
    /// A counter of a node; 0 if it never counted.
    std::uint64_t counter(const std::string& node, const std::string& name);

    struct Delivered {
        std::string node;
        HandlerId handler;
        Notification notification;
        std::uint64_t missed = 0;  // not 0: a gap instead of a notification
    };
    struct WatcherEvent {
        std::string node;
        WatchId watch;
        WatchEvent event;
    };
    /// A delivery at a node whose outcome a fan-out waits for.
    struct Awaited {
        std::string node;
        FanOutId fan_out;
        std::uint64_t members = 0;
    };
    bool handlers_return = true;  // immediately; else the test reports the outcomes of `awaited`
    std::vector<Awaited> awaited;
    std::vector<Delivered> delivered;
    std::vector<WatcherEvent> watch_events;
    std::map<CallId, CallResult> answers;
    std::vector<std::string> notes;  // "node: kind subject"
    std::map<std::string, std::vector<proto::Message>> published;
    /// Drops a message if it returns true.
    std::function<bool(const std::string& to, const proto::Message&)> drop;
    std::function<void(Options&)> adjust;  // of nodes that start from now on
    /// Sees every step before its actions are performed.
    std::function<void(const std::string& node, const Core& core, const Actions& actions)> on_step;
    std::map<std::string, std::vector<std::string>> hosts;  // the nodes behind addresses that are no node's own
    bool keys = false;                                      // connections have senders; `adjust` must give notaries
    Sender worker_key;                                      // of from_worker()
    bool check_every_step = true;                           // checks a core's invariants, in time linear in its tables
    int failing_checks = 0;                                 // so many CheckProcess find the port still open
    Instant now = Instant{} + std::chrono::seconds(100);

private:
    struct Node {
        std::unique_ptr<Core> core;
        std::map<std::string, NodeId> connected;  // the peers, and in which life
    };
    struct InFlight {
        std::string to;
        Event event;
    };
    void step(const std::string& node, EventBody body);
    void perform(const std::string& node, Action& action);
    void perform_for_handlers(const std::string& node, Action& action);
    void dial(const std::string& node, const Dial& dial);
    void answer_at_door(const std::string& node, SendDoor& answer);
    void send(const std::string& to, MessageArrived message);
    [[nodiscard]] Sender key_of(const std::string& node) const;
    static std::string node_at(const std::string& address);

    std::map<std::string, Node> nodes_;
    std::map<std::string, std::uint64_t> lives_;
    struct Dialer {
        std::string node;
        std::string address;  // that it dialed
    };
    std::map<ConnectionId, Dialer> dialers_;  // the connections of nodes; all others are of workers
    std::map<ConnectionId, std::vector<proto::Message>> to_workers_;
    std::vector<InFlight> in_flight_;
    std::uint64_t last_call_ = 0;
    std::uint64_t last_connection_ = 1u << 20;
};

}  // namespace muster::cluster::test
