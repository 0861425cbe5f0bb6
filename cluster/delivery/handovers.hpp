// The member's side of a handover: sessions whose workers were at another node before get what their groups were sent
// meanwhile. README.md, "Handover"; PROTOCOL.md, "80 RejoinRequest".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "cluster/delivery/routes.hpp"
#include "cluster/membership/peers.hpp"
#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

inline constexpr Duration kReplayAskAgain = std::chrono::milliseconds(300);

/// A session that has joined a group again waits for a replay from each node, this one included. Until its last part
/// has come, notices of that node for the group pass the session by, because the replay has them. Those after it
/// continue it, since both come over one link.
///
/// Sessions that join one group in one turn share a request. Nodes that come up within Timing::handover_window are
/// asked as well. A wait ends after that time, or when the life of its node ends; then the session may have missed
/// something, and is told so.
class Handovers {
public:
    Handovers(Context& context, Peers& peers, Replicas& replicas, Routes& routes, Sessions& sessions)
        : ctx_(context), peers_(peers), replicas_(replicas), routes_(routes), sessions_(sessions) {}

    /// The session has joined again: `joined` has a run for each of the request's joins.
    void begin(SessionToken token, const proto::RejoinRequest& request, const std::vector<proto::NumberRun>& joined);

    /// Whether the session waits for a replay that has this notice, or its worker had it before. `awaited` of its
    /// members then count with that.
    bool holds_back(const NodeId& origin, const proto::Notice& notice, SessionToken token, Session::Awaited awaited);
    /// Whether the session waits for a replay of the group.
    [[nodiscard]] bool is_waiting(const NodeId& origin, const Group& group, SessionToken token) {
        return find_wait(origin, group, token) != nullptr;
    }

    void take(const NodeId& origin, const proto::Replay& part);
    void on(const Transition& transition);
    /// Ends waits that have lasted too long, and those of sessions that have ended.
    void tick();
    [[nodiscard]] bool wants_flush() const;
    /// Sends the requests that are due.
    void flush();
    /// The requests to this node itself since the last call.
    std::vector<proto::ReplayRequest> take_own() { return std::exchange(own_, {}); }
    void begin_life() {
        ended_.clear();
        origins_.clear();
        unanswered_.clear();
        movers_.clear();
    }

    /// Whether a session waits for notices of this node.
    [[nodiscard]] bool waits_for_self() const {
        const auto own = origins_.find(ctx_.self);
        return own != origins_.end() && !own->second.waits.empty();
    }
    [[nodiscard]] std::size_t waiting() const;
    [[nodiscard]] std::size_t memory() const;

private:
    /// A session in one group.
    struct Mover {
        struct Joined {
            MemberNumber first;
            std::uint64_t count = 0;
            Instant at;
        };
        SessionToken token;
        Group group;
        MemberNumber end;  // not for members from here on, which joined with a later request; 0: none did
        std::vector<Joined> joined;
        Instant oldest;  // of `joined`
        Instant newest;
        Instant until;
        std::map<NodeId, std::uint64_t> positions;  // of the worker
        std::set<NodeId> asked;                     // origins that it waits for, or has
        std::set<NodeId> doubtful;                  // of those: down, and may have notices for it
        Drawn memory;
    };
    using SharedMover = std::shared_ptr<Mover>;
    struct Wait {
        SharedMover mover;
        std::uint64_t after = 0;    // the number that the worker has had; 0: unknown
        std::uint64_t request = 0;  // 0: not sent yet
        /// A notice that passed by, and that somebody waits for.
        struct Held {
            Session::Awaited awaited;
            MemberNumber newest;  // of the awaited members
        };
        std::map<std::uint64_t, Held> held;  // by seq
    };
    using Waits = std::vector<Wait>;
    using Requests = std::map<std::uint64_t, proto::ReplayRequest>;
    struct Origin {
        std::map<Group, Waits> waits;
        std::uint64_t last_request = 0;
        Requests asked;                             // without all answers
        std::map<std::uint64_t, std::size_t> open;  // of those, entries without their last part
        Instant ask_again_at = kNever;
        Instant sent_at = kLongAgo;  // the latest request
        bool has_new = false;        // waits without a request
    };

    [[nodiscard]] SharedMover make_mover(const Session& session, const proto::RejoinRequest& request,
                                         const std::vector<proto::NumberRun>& joined) const;
    [[nodiscard]] bool may_have_lost(const NodeId& origin, const proto::RejoinRequest& request) const;
    void wait_for(const NodeId& origin, const SharedMover& mover);
    [[nodiscard]] bool can_ask(const NodeId& origin) const;
    void ask(const NodeId& id, Origin& origin);
    void send(const NodeId& to, const proto::ReplayRequest& request);
    Wait* find_wait(const NodeId& origin, const Group& group, SessionToken token);
    void take(Wait& wait, const proto::ReplayRequest::Entry& entry, const proto::Replay& part);
    void answered(Origin& origin, Requests::iterator asked);
    void tell_of_missed(const Wait& wait, const Group& group, const proto::Replay& part, std::uint64_t after);
    Routes::SharedMembers receivers(const Mover& mover, const Group& group, Instant sent_at);
    void deliver(Wait& wait, const Group& group, const proto::Replay::Aged& aged);
    /// Ends the waits for which `ends(wait)` is true. Those that were not answered tell of a loss.
    template <class Ends>
    void end_waits(const NodeId& id, Origin& origin, Ends ends);
    void forget_idle();
    [[nodiscard]] bool was_had(const NodeId& origin, const proto::Notice& notice, SessionToken token) const;

    Context& ctx_;
    Peers& peers_;
    Replicas& replicas_;
    Routes& routes_;
    Sessions& sessions_;
    std::map<NodeId, Origin> origins_;
    std::map<NodeId, Instant> ended_;  // lives that this node has known, and when they ended or fell silent, lately
    std::deque<SharedMover> movers_;   // of the last Timing::handover_window, in the order of `until`
    std::vector<proto::ReplayRequest> own_;
    // Waits that have ended without an answer: what the worker had had may still be on the link.
    std::map<std::tuple<SessionToken, NodeId, Group>, std::uint64_t> unanswered_;
};

}  // namespace muster::cluster
