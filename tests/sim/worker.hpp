// A simulated worker: the protocol of PROTOCOL.md, "Workers", from the outside,
// written a second time so that the node's side is judged by something else
// than itself.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/accepted_calls.hpp"
#include "tests/sim/model.hpp"
#include "tests/sim/world.hpp"

namespace muster::sim {

class Worker final : public Process {
public:
    Worker(World& world, Model& model, Place place, std::string name, std::vector<std::string> doors);

    void start();
    void crash();
    void goodbye();
    void pause() { stopped_ = alive_; }
    void resume();
    /// Opens a new socket to the same node, as when a message of the stream is missing.
    void reopen();
    /// Gives its node up and tries the next of its list.
    void move_on();
    /// Handles one stream item a `pace`; 0: at once.
    void set_pace(Duration pace) { pace_ = pace; }

    // The verbs; without effect while it is not attached.
    void join(const Group& group, std::uint64_t count, const Meta& meta, bool visible);
    void leave(const Group& group, std::uint64_t count, bool by_number);
    void notify(NotificationKind kind, const Group& group, bool wait);
    void query(std::uint64_t which, const Group& group);
    void watch(const Group& group);
    void unwatch();

    [[nodiscard]] bool alive() const { return alive_; }
    [[nodiscard]] bool attached() const { return alive_ && phase_ == Phase::attached; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const NodeId& node() const { return node_; }
    /// Groups it believes to have members in.
    [[nodiscard]] std::vector<Group> groups() const;
    [[nodiscard]] bool is_attached_to(const Host& host, std::uint64_t token) const;
    /// Whether a node has no reason to believe this session dead.
    [[nodiscard]] bool was_well(const Host& host, std::uint64_t token) const;
    /// Why it has not what it wants yet.
    [[nodiscard]] std::optional<std::string> unsettled();

    [[nodiscard]] Place place() const override { return place_; }
    [[nodiscard]] bool stopped() const override { return stopped_; }
    [[nodiscard]] cluster::Sender key() const override {
        return world_.profile.keys == 0 ? cluster::Sender{} : cluster::Sender{cluster::Sender::Role::worker, name_};
    }
    void connected(ConnectorId connector) override;
    void from_server(ConnectorId connector, const Frame& frame) override;

private:
    enum class Phase { connecting, greeting, attached };
    struct Joined {
        Group group;
        Meta meta;
        std::uint64_t count = 0;          // asked for, less those that left
        std::set<std::uint64_t> numbers;  // once answered
        std::uint64_t request = 0;        // number of the request under way
        Duration since{0};                // when it was first asked for
    };
    struct Watching {
        Group group;
        std::uint64_t request = 0;
        std::optional<View> view;
        WatchEvent parts;  // of an event that is not complete
        bool done = false;
    };

    void open();
    void greet();
    void arm_turn(Duration delay);
    void turn();
    void acknowledge();
    void send(proto::Body body, std::uint64_t seq);
    std::uint64_t request(proto::Body body);
    void take(const proto::Message& message);
    void welcome(const proto::WorkerWelcome& welcome, const proto::Message& message);
    void fresh_session(const NodeId& before, Duration handover);
    void move(const std::string& to);
    void leave_old_node();
    void forget_old_node();
    void join_again(const NodeId& before);
    void forget_positions();
    [[nodiscard]] bool has_joined(const Group& group) const;  // or asks to
    void notify_again();
    void settled(std::uint64_t call);
    proto::Copy copy_of(const proto::Notice& notice);
    void refused(const proto::Refuse& refusal);
    bool take_reply(const proto::Message& message);
    void take_answer(const proto::Message& asked, const proto::Message& reply);
    void answer_join(std::uint64_t seq, const proto::JoinReply& reply);
    void take_leave_for_done(const proto::LeaveRequest& asked);
    void answer_leave(const proto::LeaveRequest& asked, const proto::LeaveReply& reply);
    void stream_item(std::uint64_t seq, const proto::StreamItem& item);
    void handle_next();
    void handle(const proto::StreamItem& item);
    void handle_watch(const proto::WatchNews& news);
    [[noreturn]] void fail(const std::string& what) const { throw Violation("worker " + name_ + ": " + what); }

    World& world_;
    Model& model_;
    Place place_;
    std::string name_;
    std::vector<std::string> doors_;
    Random random_;
    Speech speech_;

    bool alive_ = false;
    bool stopped_ = false;
    std::uint64_t life_ = 0;
    std::deque<std::pair<ConnectorId, Frame>> inbox_;  // while stopped
    Phase phase_ = Phase::connecting;
    std::size_t door_ = 0;
    ConnectorId connector_;
    Duration heard_{0};
    Duration spoke_{0};
    Duration greeted_at_{0};
    Duration troubled_{0};  // last time a node may have had a reason to doubt it
    Duration retry_at_{0};
    Duration pace_{0};
    bool acknowledging_ = false;
    bool handling_ = false;

    std::uint64_t token_ = 0;
    std::size_t token_door_ = 0;  // where the token was given
    NodeId node_;
    Duration heartbeat_{milliseconds(500)};
    Duration ttl_{seconds(2)};
    std::uint64_t requests_ = 0;
    std::map<std::uint64_t, proto::Message> asked_;  // unanswered, by number
    std::uint64_t taken_ = 0;                        // of the stream
    std::uint64_t handled_ = 0;
    std::deque<std::pair<std::uint64_t, proto::StreamItem>> items_;  // taken, not handled, with their numbers
    std::vector<Joined> joined_;
    bool asks_for_replays_ = true;  // an older worker joins anew
    Duration lost_at_{0};           // when it last lost its node
    std::map<Group, std::map<NodeId, std::uint64_t>> positions_;
    // Its notify calls, which outlive sessions.
    struct Call {
        proto::NotifyRequest request;
        bool answered = false;
    };
    // The node that it was asked to leave, while it joins at another one.
    ConnectorId old_connector_;
    std::uint64_t old_token_ = 0;
    std::uint64_t process_ = 0;  // the life that it says
    std::uint64_t calls_ = 0;
    std::map<std::uint64_t, Call> unsettled_;
    std::map<std::pair<Group, std::uint64_t>, proto::AcceptedCalls> accepted_;  // by group and life
    std::vector<Watching> watches_;
};

}  // namespace muster::sim
