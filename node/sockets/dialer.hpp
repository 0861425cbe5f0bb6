// Hellos to addresses, one DEALER for each address dialed, and each key that may be behind it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include "cluster/time.hpp"
#include "node/admission/security.hpp"
#include "node/io/emit.hpp"
#include "node/io/resolver.hpp"
#include "node/sockets/other_majors.hpp"

namespace muster::node {

/// A name is looked up at every dial, and every address it has is dialed: the
/// answers count as the name's. A connection that has not answered for a while
/// is opened anew with the next dial (libzmq gives some up for ever), and one
/// that is not used for 30 s is closed. Bounded: beyond kMaxConnections the one
/// that was dialed longest ago is closed.
///
/// With keys, whose key to expect is known for some addresses. At others, and for a node that has two keys, all are
/// tried at once, up to kKeysAtOnce and then the next ones; the connection that answers is kept.
class Dialer {
public:
    static constexpr std::size_t kMaxConnections = 512;
    static constexpr std::size_t kKeysAtOnce = 16;
    /// Names of nodes by the addresses at which they are expected.
    using Expected = std::map<std::string, std::string>;

    /// `log` gets a warning, at most once a minute for each address, when a name has no address, when a node has no
    /// trusted key, and when a node speaks another major version.
    Dialer(zmq::context_t& context, NodeCounters& counts, Resolver& resolver, Security& security, Expected expected,
           Log log);

    void dial(const std::string& address, const proto::Message& message);
    void hang_up(const std::string& address);
    /// A name's addresses have been found. False when nobody had dialed it.
    bool resolved(const Resolver::Found& found);

    void add_to(std::vector<zmq::pollitem_t>& items);
    std::size_t drain(const Emit& emit, std::size_t budget);
    /// Closes what has not been used for long.
    void expire();
    /// Keys have changed: closes what is not trusted any more, or, with `own`, everything.
    void follow_keys(bool own);

private:
    using Key = std::optional<keys::PublicKey>;  // of the other end; empty: without keys
    struct Connection {
        zmq::socket_t socket;
        std::string dialed;  // the address as it was asked for
        cluster::Instant used;
        cluster::Instant heard;  // or opened
    };
    struct Name {
        std::optional<std::string> waiting;  // an encoded hello
        cluster::Instant used;
    };

    /// Which keys are tried at an address.
    struct Trial {
        Key answered;           // this one and no other
        std::size_t first = 0;  // of all keys that could be there, when they are too many
        cluster::Instant since;
        cluster::Instant used;
    };
    using Place = std::pair<std::string, Key>;  // numeric address

    void send_to(const std::string& dialed, const std::string& numeric, const std::string& hello);
    void send_to(const std::string& dialed, const Place& place, const std::string& hello);
    std::vector<Key> keys_for(const std::string& dialed, const std::string& numeric);
    bool open(const std::string& dialed, const Place& place);
    /// Whose answer it is. False when the message must be dropped.
    bool answered(const Place& place, cluster::Sender& sender);
    void close_others(const Place& place);
    void make_room();
    void warn_of(const std::string& dialed, LogLine line);
    void undecodable(const std::string& dialed, std::string_view frame, proto::DecodeError why);

    zmq::context_t& context_;
    NodeCounters& counts_;
    Resolver& resolver_;
    Security& security_;
    const Expected expected_;
    Log log_;
    OtherMajors other_majors_;
    std::map<Place, Connection> connections_;
    std::map<std::string, Trial> trials_;  // by numeric address; with keys
    std::map<std::string, Name> names_;
    std::map<std::string, cluster::Instant> warned_;  // by address as dialed
};

}  // namespace muster::node
