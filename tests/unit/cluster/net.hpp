// A few cores on a perfect network: what one sends the others have at once.
// Faults are for the simulator; this shows semantics.
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

    /// Starts a node whose seed is `seed` (a name, or empty).
    void start(const std::string& name, const std::string& seed = {});
    /// Its process is gone: links break, connects are refused.
    void kill(const std::string& name);
    void stop_gracefully(const std::string& name);
    /// Lets virtual time pass, in steps of at most 10 ms.
    void run(Duration duration);
    /// Until nothing is left to be done now.
    void pump();

    /// Steps one event at a node, then pumps.
    void call(const std::string& node, EventBody body);
    CallResult join(const std::string& node, HandlerId handler, const Group& group, std::uint64_t count = 1,
                    Meta meta = {}, bool visible = false);
    CallResult leave(const std::string& node, HandlerId handler, const Group& group, std::uint64_t count = 1);
    CallResult notify(const std::string& node, const Group& group, const std::string& data, bool wait = false);

    /// A worker's message to a node, from behind a connection.
    void tell(const std::string& node, ConnectionId connection, const std::string& worker, SessionToken token,
              std::uint64_t seq, proto::Body body);
    /// What was sent to a connection since the last call.
    std::vector<proto::Message> heard(ConnectionId connection);

    Core& core(const std::string& node) { return *nodes_.at(node).core; }
    std::vector<std::string> members(const std::string& node, const Group& group);

    struct Delivered {
        std::string node;
        HandlerId handler;
        Notification notification;
        std::uint64_t missed = 0;  // not 0: no notification, but a gap
    };
    struct Told {
        std::string node;
        WatchId watch;
        WatchEvent event;
    };
    /// A delivery that somebody waits for, at this node.
    struct Asked {
        std::string node;
        FanOutId fan_out;
        std::uint64_t members = 0;
    };
    bool handlers_return = true;  // at once; else what becomes of `asked` is for the test to say
    std::vector<Asked> asked;
    std::vector<Delivered> delivered;
    std::vector<Told> told;
    std::map<CallId, CallResult> answers;
    std::vector<std::string> notes;  // "node: kind subject"
    std::map<std::string, std::vector<proto::Message>> published;
    /// Drops a message on its way when true is returned.
    std::function<bool(const std::string& to, const proto::Message&)> drop;
    std::function<void(Options&)> adjust;  // of nodes started from now on
    /// Sees every step that was made, before its actions are done.
    std::function<void(const std::string& node, const Core& core, const Actions& actions)> on_step;
    std::map<std::string, std::vector<std::string>> hosts;  // of names that are no node's own
    bool keys = false;             // connections have senders; notaries are for `adjust` to give
    Sender worker_key;             // of those that tell
    bool check_every_step = true;  // of a core's invariants: costs a look at its whole table
    int checks_in_vain = 0;        // so many CheckProcess find the port still open
    Instant now = Instant{} + std::chrono::seconds(100);

private:
    struct Node {
        std::unique_ptr<Core> core;
        std::map<std::string, NodeId> connected;  // to whom, in which life
    };
    struct Letter {
        std::string to;
        Event event;
    };
    void step(const std::string& node, EventBody body);
    void perform(const std::string& node, Action& action);
    void send(const std::string& to, MessageArrived message);
    std::string at(const std::string& address) const;

    std::map<std::string, Node> nodes_;
    std::map<std::string, std::uint64_t> lives_;
    std::map<ConnectionId, std::string> dialers_;  // routes that stand for a node's dial: the dialing node
    std::map<ConnectionId, std::vector<proto::Message>> to_workers_;
    std::vector<Letter> letters_;
    std::uint64_t last_call_ = 0;
    std::uint64_t last_connection_ = 1u << 20;
};

}  // namespace muster::cluster::test
