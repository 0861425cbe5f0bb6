// Sends hellos to the front doors of other nodes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <zmq.hpp>

#include "cluster/time.hpp"
#include "node/admission/security.hpp"
#include "node/io/emit.hpp"
#include "node/io/poller.hpp"
#include "node/io/receive_budget.hpp"
#include "node/io/resolver.hpp"
#include "node/sockets/other_majors.hpp"

namespace muster::node {

/// One DEALER for each numeric address that is dialed and each key that the node there may have.
///
/// The host name is looked up at every dial, and a hello goes to each of its addresses. Answers are emitted with the
/// address as it was dialed. A connection that has received nothing for some seconds is replaced at the next dial,
/// because libzmq never retries after some errors. A connection that is not used for 30 s is closed. Beyond
/// kMaxConnections, the one that was used least recently is closed.
///
/// With keys, a socket must know the key of the server before it connects. For addresses in `Expected` the node's name,
/// and so its keys, are known. At other addresses every trusted node may be. All keys in question are tried at once, up
/// to kKeysAtOnce, and then the next ones; the connection that is answered is kept and the others are closed.
class Dialer {
public:
    static constexpr std::size_t kMaxConnections = 512;
    static constexpr std::size_t kKeysAtOnce = 16;
    /// Names of nodes, by the address at which each is expected.
    using Expected = std::map<std::string, std::string>;

    /// `log` gets a warning, at most once a minute for each address, when a name does not resolve, when an expected
    /// node has no trusted key, and when a node speaks another major version.
    Dialer(zmq::context_t& context, NodeCounters& counters, Resolver& resolver, Security& security, Expected expected,
           Log log);

    /// Sends `message`, a hello, to `address`.
    void dial(const std::string& address, const proto::Message& message);
    /// Closes the connections that were dialed as `address`.
    void hang_up(const std::string& address);
    /// Must be called with each result of the resolver.
    void resolved(const Resolver::Found& found);
    /// This node listens on loopback only, as `listen` says. Logged once, when an address of another host is dialed.
    void listens_on_loopback(std::string listen) { listens_on_ = std::move(listen); }

    void add_to(Poller& poller);
    /// Receives messages within the budget and emits them as Channel::dial. Connections that this call leaves out come
    /// first in the next one.
    void drain(const Emit& emit, ReceiveBudget budget);
    /// Closes what was not used for long. To be called about once a second.
    void expire();
    /// Closes connections whose key is no longer trusted, or, if this node's own pair has changed, all.
    void keys_changed(bool own);

private:
    using Key = std::optional<keys::PublicKey>;  // of the node that is dialed; empty: without keys
    /// What a connection is made to.
    struct Endpoint {
        std::string address;  // numeric
        Key key;
        // Not defaulted: before version 16, libc++ has no <=> for strings.
        bool operator<(const Endpoint& other) const {
            return std::tie(address, key) < std::tie(other.address, other.key);
        }
    };
    struct Connection {
        Socket socket;
        std::string dialed;  // the address as it was passed to dial()
        cluster::Instant used;
        cluster::Instant last_received;  // or when it was opened
    };
    struct Name {
        std::optional<std::string> waiting;  // an encoded hello
        cluster::Instant used;
    };

    /// Which keys are being tried at a numeric address.
    struct Trial {
        Key answered;           // if set, only this one
        std::size_t first = 0;  // index of the first key to try, if there are more than kKeysAtOnce
        cluster::Instant since;
        cluster::Instant used;
    };

    void send_to_all(const Resolver::Found& found, const std::string& hello);
    void warn_if_unreachable(const std::string& dialed, const std::string& numeric);
    void send_to_address(const std::string& dialed, const std::string& numeric, const std::string& hello);
    void send_to(const std::string& dialed, const Endpoint& endpoint, const std::string& hello);
    std::vector<Key> keys_for(const std::string& dialed, const std::string& numeric);
    bool open(const std::string& dialed, const Endpoint& endpoint);
    /// Sets the sender of a message that was received from there. False if the message must be dropped.
    bool identify(const Endpoint& endpoint, cluster::Sender& sender);
    /// Closes the connections to the same address with other keys.
    void close_others(const Endpoint& endpoint);
    void make_room();
    void warn(const std::string& dialed, LogLine line);
    void count_undecodable(const std::string& dialed, std::string_view frame, proto::DecodeError why);

    zmq::context_t& context_;
    NodeCounters& counters_;
    Resolver& resolver_;
    Security& security_;
    const Expected configured_;
    Expected expected_;  // as configured, or else as hellos say
    Log log_;
    std::string listens_on_;  // what loopback address this node listens on; empty if others can reach it
    OtherMajors other_majors_;
    std::map<Endpoint, Connection> connections_;
    std::optional<Endpoint> left_out_;                // where the next drain() begins
    std::map<std::string, Trial> trials_;             // by numeric address; with keys only
    std::map<std::string, Name> names_;               // by address as dialed
    std::map<std::string, cluster::Instant> warned_;  // by address as dialed: when
};

}  // namespace muster::node
