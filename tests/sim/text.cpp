// The trace's words: events, actions and messages in one line each.
#include <sstream>

#include "proto/codec.hpp"
#include "tests/sim/record.hpp"

namespace muster::sim {
namespace {

using namespace proto;  // NOLINT(google-build-using-namespace): this file names nearly every message

std::string text(const NodeId& id) {
    return id.name + "/" + std::to_string(id.incarnation.value);
}
std::string text(const Group& group) {
    return group.store.substr(0, 12) + ":" + group.feature.substr(0, 12);
}
std::string text(const JoinRun& run) {
    return std::to_string(run.first.value) + "+" + std::to_string(run.count) + "@" + run.worker;
}
std::string text(const NumberRun& run) {
    return std::to_string(run.first.value) + "+" + std::to_string(run.count);
}
std::string text(const PeerRecord& peer) {
    return text(peer.id) + "r" + std::to_string(peer.refutation) + " " + std::string(to_string(peer.state)) + " seq " +
           std::to_string(peer.seq.value);
}

class Words {
public:
    template <class T>
    Words& operator()(const T& value) {
        out_ << ' ';
        if constexpr (requires { out_ << value; }) {
            out_ << value;
        } else if constexpr (requires { out_ << value.value; }) {
            out_ << value.value;
        } else {
            out_ << text(value);
        }
        return *this;
    }
    template <class T>
    Words& all(const std::vector<T>& list) {
        std::size_t shown = 0;
        out_ << " [";
        for (const T& item : list) {
            if (++shown > 6) break;
            (*this)(item);
        }
        out_ << (shown > 6 ? " …]" : " ]");
        return *this;
    }
    [[nodiscard]] std::string str() const { return out_.str(); }

private:
    std::ostringstream out_;
};

void tell(Words& w, const GroupDelta& change) {
    w(change.group);
    if (!change.joins.empty()) w("+").all(change.joins);
    if (!change.leaves.empty()) w("-").all(change.leaves)(to_string(change.reason));
}
void tell(Words& w, const Deltas& m) {
    w(m.about)("first")(m.first);
    for (const Delta& delta : m.deltas) {
        w("|");
        for (const GroupDelta& change : delta.changes) tell(w, change);
    }
}
void tell(Words& w, const SnapshotChunk& m) {
    w(m.about)("as of")(m.as_of)("chunk")(m.index)("of")(m.count);
    for (const GroupRuns& runs : m.groups) w(runs.group).all(runs.joins);
}
void tell(Words& w, const LinkData& m) {
    w("to")(m.to)("first")(m.first)("acked")(m.acked)("items")(m.items.size());
}
void tell(Words& w, const WatchEvent& event) {
    w(to_string(event.kind));
    if (event.kind == WatchEvent::Kind::leave) w(to_string(event.reason));
    for (const GroupMembers& part : event.groups) {
        w(part.group)("[");
        std::size_t shown = 0;
        for (const Member& member : part.members) {
            if (++shown <= 6) w(muster::to_string(member.id));
        }
        w(shown > 6 ? "…]" : "]");
    }
}
void tell(Words& w, const Notification& n) {
    w(to_string(n.kind))(n.group)("from")(n.from_node)(n.from_worker)("seq")(n.seq)("to").all(n.members);
}
void tell(Words& w, const Deliveries& m) {
    for (const Delivery& delivery : m.items) {
        if (&delivery != &m.items.front()) w("|");
        tell(w, to_notification(*delivery.notice, *delivery.members));
    }
}

void tell(Words& w, const Relay& m) {
    w("to")(m.to);
    if (Decoded inner = decode(m.message); inner) w(to_text(*inner));
}

void tell(Words& w, const Sealed& m) {
    w("stamp")(m.stamp);
    if (Decoded inner = decode(m.message); inner) w(to_text(*inner));
}

template <class Body>
void tell_body(Words& w, const Body& m) {
    if constexpr (requires { tell(w, m); }) {
        tell(w, m);
    } else if constexpr (requires { m.self; }) {
        w(m.self);
        if constexpr (requires { m.peers; }) w("known")(m.known).all(m.peers);
    } else if constexpr (requires {
                             m.digest;
                             m.membership;
                         }) {
        w("refutation")(m.refutation)("digest")(m.digest)("membership")(m.membership);
    } else if constexpr (requires { m.peers; }) {
        w.all(m.peers);
    } else if constexpr (requires { m.have; }) {
        w(m.about)("have")(m.have)(m.snapshot ? "snapshot" : "");
    } else if constexpr (requires { m.call; }) {
        w(m.group)("call")(m.call)(m.repeated ? "repeated" : "");
    } else if constexpr (requires { m.entries; }) {
        w("to")(m.to)("number")(m.number)("position")(m.position);
        for (const auto& entry : m.entries) w(entry.group)("after")(entry.after)("age")(entry.age_ms);
    } else if constexpr (requires { m.positions; }) {
        w(m.group);
        for (const auto& position : m.positions) w(position.node)(position.group_seq);
        for (const auto& join : m.joins) w("count")(join.count)("age")(join.age_ms);
    } else if constexpr (requires { m.age_ms; }) {
        w(m.target)("age")(m.age_ms);
    } else if constexpr (requires { m.target; }) {
        w(m.target);
    } else if constexpr (requires { m.next; }) {
        w(m.about)("as of")(m.as_of)("next")(m.next);
    } else if constexpr (requires { m.applied; }) {
        w(m.about)("applied")(m.applied)("nonce")(m.nonce)("channels")(m.channels);
    } else if constexpr (requires { m.acked; }) {
        w("to")(m.to)("acked")(m.acked);
    } else if constexpr (requires { m.message; }) {
        w("to")(m.to);
        if (Decoded inner = decode(m.message)) w("{" + to_text(*inner) + " }");
    } else if constexpr (requires { m.heartbeat_ms; }) {
        w("token")(m.token)(m.resumed ? "resumed" : "new");
    } else if constexpr (requires { m.token; }) {
        w("token")(m.token)("received")(m.received);
    } else if constexpr (requires { m.received; }) {
        w("received")(m.received);
    } else if constexpr (requires { m.code; }) {
        w(to_string(m.code))(m.text);
    } else if constexpr (requires {
                             m.group;
                             m.count;
                         }) {
        w(m.group)("count")(m.count);
    } else if constexpr (requires { m.group; }) {
        w(m.group);
    } else if constexpr (requires { m.event; }) {
        w("watch")(m.watch);
        tell(w, m.event);
        w(m.last ? "last" : "more");
    } else if constexpr (requires { m.missed; }) {
        w("missed")(m.missed);
    } else if constexpr (requires { m.report; }) {
        w("matched")(m.report.matched)("delivered")(m.report.delivered)("missed")(m.report.missed.size());
    } else if constexpr (requires {
                             m.members;
                             m.unseen;
                         }) {
        w.all(m.members);
    } else if constexpr (requires { m.refutation; }) {
        w("refutation")(m.refutation);
    }
}

}  // namespace

std::string to_text(const Message& message) {
    Words w;
    w(name_of(message.body));
    w(message.header.origin + "/" + std::to_string(message.header.incarnation))(message.header.seq);
    std::visit([&w](const auto& body) { tell_body(w, body); }, message.body);
    return w.str();
}

namespace {

struct EventText {
    Words w;
    std::string operator()(const cluster::Tick&) { return " Tick"; }
    std::string operator()(const cluster::MessageArrived& e) {
        constexpr std::string_view channels[] = {"gossip", "control", "door", "dial"};
        w("<-")(channels[static_cast<std::size_t>(e.channel)]);
        if (e.connection) w("connection")(e.connection);
        return w.str() + e.address + to_text(e.message);
    }
    std::string operator()(const cluster::LinkUp& e) { return w("LinkUp")(e.peer).str(); }
    std::string operator()(const cluster::LinkLost& e) { return w("LinkLost")(e.peer).str(); }
    std::string operator()(const cluster::ProcessGone& e) { return w("ProcessGone")(e.peer).str(); }
    std::string operator()(const cluster::ConnectionLost& e) { return w("ConnectionLost")(e.connection).str(); }
    std::string operator()(const cluster::LocalJoin& e) {
        return w("LocalJoin call")(e.call)("handler")(e.handler)(e.group)("count")(e.count).str();
    }
    std::string operator()(const cluster::LocalLeave& e) {
        return w("LocalLeave call")(e.call)("handler")(e.handler)(e.group)("count")(e.count).all(e.members).str();
    }
    std::string operator()(const cluster::HandlerGone& e) { return w("HandlerGone")(e.handler).str(); }
    std::string operator()(const cluster::HandlerOutcomes& e) {
        w("HandlerOutcomes");
        for (const auto& outcome : e.outcomes)
            w(outcome.members)(outcome.missed ? to_string(*outcome.missed) : "delivered");
        return w.str();
    }
    std::string operator()(const cluster::LocalNotify& e) {
        return w("LocalNotify call")(e.call)(e.group)(e.wait ? "wait" : "").str();
    }
    std::string operator()(const cluster::LocalWatch& e) { return w("LocalWatch")(e.watch)(e.group).str(); }
    std::string operator()(const cluster::LocalUnwatch& e) { return w("LocalUnwatch")(e.watch).str(); }
    std::string operator()(const cluster::Drain&) { return " Drain"; }
    std::string operator()(const cluster::Shutdown&) { return " Shutdown"; }
};

struct ActionText {
    Words w;
    std::string operator()(const cluster::Publish& a) { return " -> publish" + to_text(a.message); }
    std::string operator()(const cluster::SendPeer& a) { return " -> " + a.peer + to_text(a.message); }
    std::string operator()(const cluster::PublishTo& a) { return " -> publish to " + a.peer.name + to_text(a.message); }
    std::string operator()(const cluster::Dial& a) { return " -> dial " + a.address + to_text(a.message); }
    std::string operator()(const cluster::HangUp& a) { return " HangUp " + a.address; }
    std::string operator()(const cluster::SendDoor& a) { return w("-> door")(a.connection).str() + to_text(a.message); }
    std::string operator()(const cluster::ConnectPeer& a) {
        return w("ConnectPeer")(a.peer)(a.control)(a.gossip).str();
    }
    std::string operator()(const cluster::DisconnectPeer& a) { return " DisconnectPeer " + a.peer; }
    std::string operator()(const cluster::CheckProcess& a) { return w("CheckProcess")(a.peer)(a.address).str(); }
    std::string operator()(const cluster::Deliver& a) {
        for (const auto& to : *a.to) {
            w("Deliver")(to.handler);
            tell(w, proto::to_notification(*a.notice, to.members));
        }
        return w.str();
    }
    std::string operator()(const cluster::DeliverGap& a) { return w("DeliverGap")(a.handler)(a.missed).str(); }
    std::string operator()(const cluster::TellWatcher& a) {
        w("TellWatcher")(a.watch);
        tell(w, a.event);
        return w.str();
    }
    std::string operator()(const cluster::Answer& a) {
        w("Answer")(a.call);
        std::visit([this](const auto& result) { tell_result(result); }, a.result);
        return w.str();
    }
    std::string operator()(const cluster::GroupChanged& a) {
        return a.group ? w("GroupChanged")(*a.group).str() : w("GroupChanged").str();
    }
    std::string operator()(const cluster::IdentityChanged& a) { return w("IdentityChanged")(a.self).str(); }
    std::string operator()(const cluster::Note& a) { return w("Note")(to_string(a.kind))(a.node)(a.text).str(); }
    std::string operator()(const cluster::Stop& a) { return w("Stop")(a.error.text).str(); }

private:
    void tell_result(const Done&) { w("done"); }
    void tell_result(const JoinReply& reply) { w("joined").all(reply.members)("unseen")(reply.unseen); }
    void tell_result(const LeaveReply& reply) { w("left").all(reply.members); }
    void tell_result(const NotifyReport& report) {
        w("matched")(report.matched)("delivered")(report.delivered);
        for (const Missed& missed : report.missed) w(missed.node)(missed.members)(to_string(missed.reason));
    }
    void tell_result(const Error& error) { w(to_string(error.code))(error.text); }
};

}  // namespace

std::string to_text(const cluster::EventBody& event) {
    return std::visit(EventText{}, event);
}
std::string to_text(const cluster::Action& action) {
    return std::visit(ActionText{}, action);
}

}  // namespace muster::sim
