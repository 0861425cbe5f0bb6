#include "node/sockets/sockets.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "node/io/address.hpp"
#include "node/io/busy_poll.hpp"
#include "node/io/clock.hpp"
#include "node/io/receive_budget.hpp"
#include "node/io/shortage.hpp"
#include "node/io/socket_address.hpp"
#include "node/io/zmq_io.hpp"

namespace muster::node {
namespace {

// What one socket receives in one turn, and those of nodes before a tick. With all of them a turn stays below 50 ms.
constexpr ReceiveBudget::Amount kTurn{256, 1u << 20, std::chrono::milliseconds(4)};
constexpr ReceiveBudget::Amount kSubscriptions{8192, 1u << 20, std::chrono::milliseconds(4)};
constexpr ReceiveBudget::Amount kBeforeTick{20'000, 4u << 20, std::chrono::milliseconds(20)};
constexpr auto kOwnName = std::chrono::seconds(5);
constexpr auto kCheckConnectionsEvery = std::chrono::milliseconds(50);
constexpr std::size_t kOfSockets = 40;  // descriptors that the sockets of a node take at its start, and some more
constexpr auto kApplyChangesAgain = std::chrono::seconds(1);
// Descriptors that the node keeps for its own connections and files: with fewer, its ports accept no connection.
constexpr std::size_t kReserve = 16;
constexpr int kMaxSockets = 16384;  // a DEALER for each peer, and as many for dials

/// Whether a socket can be bound to a numeric address.
bool is_own_address(const std::string& host) {
    const auto address = socket_address({host, 0});
    if (!address) return false;
    const int fd = ::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool bound = fd >= 0 && ::bind(fd, address->get(), address->size) == 0;
    if (fd >= 0) ::close(fd);
    return bound;
}

/// A numeric host that a socket can be bound to. Waits for the name service, kOwnName at most.
Result<std::string> bindable(const std::string& host) {
    if (host == "*" || is_numeric(host)) return host;
    const auto found = resolve_within(host, kOwnName);
    if (found.empty())
        return Error{
            ErrorCode::unreachable,
            "cannot resolve " + host + " within 5 s: check the name, or set --listen to an address of this host"};
    // A name may also have addresses that are not, or not yet, of this host.
    const auto own = std::find_if(found.begin(), found.end(), is_own_address);
    return own != found.end() ? *own : found.front();
}

/// Bounds of a port for nodes, or of the front door.
Connections::Bounds bounds_of(const SocketOptions& options, bool for_nodes) {
    const auto shares = share_descriptors(options.connections.connections);
    auto bounds = options.connections;
    bounds.connections = for_nodes ? shares.nodes : shares.door;
    return bounds;
}

}  // namespace

Result<std::unique_ptr<Sockets>> Sockets::open(const SocketOptions& options, NodeCounters& counters,
                                               std::shared_ptr<Wakeup> wakeup, Log log) {
    int error = why_no_descriptors(kOfSockets);
    if (error == 0) error = why_no_context();
    if (error != 0) return shortage_error("cannot open the sockets of a node", error);
    std::unique_ptr<Sockets> sockets(new Sockets(options, counters, std::move(wakeup), std::move(log)));
    if (auto wrong = sockets->bind(options)) return *std::move(wrong);
    return sockets;
}

Sockets::Sockets(const SocketOptions& options, NodeCounters& counters, std::shared_ptr<Wakeup> wakeup, Log log)
    : counters_(counters),
      log_(std::move(log)),
      context_(1, kMaxSockets),
      wakeup_(std::move(wakeup)),
      security_(context_, options.keys, counters, wakeup_),
      resolver_([wakeup = wakeup_] { wakeup->notify(); }),
      gossip_socket_(context_, options.scope, options.self, counters, security_, bounds_of(options, true),
                     options.drop),
      door_(context_, counters, security_, bounds_of(options, false), log_),
      control_socket_(context_, counters, security_, bounds_of(options, true)),
      links_(context_, counters, security_),
      control_routes_(resolver_,
                      [this](const auto& peer, const auto& numeric, const auto&) { links_.connect(peer, numeric); }),
      gossip_routes_(resolver_, [this](const auto& peer, const auto& numeric,
                                       const auto& advertised) { gossip_socket_.connect(peer, numeric, advertised); }),
      dialer_(context_, counters, resolver_, security_, options.expected, log_),
      prober_(resolver_),
      shortage_(counters, log_) {
    door_.set_header({options.scope, options.self.name, options.self.incarnation.value, 0});
}

Sockets::~Sockets() = default;

Result<std::string> host_to_bind(const std::string& listen, const std::string& advertise, bool may_reach_others) {
    const auto bound = parse_address(listen);
    if (!bound) return bound.error();
    const auto advertised = parse_address(advertise.empty() ? listen : advertise);
    if (!advertised) return advertised.error();
    if (is_any(advertised->host))
        return Error{ErrorCode::bad_request, "nobody can connect to " + to_string(*advertised) +
                                                 ": set --advertise HOST:PORT to an address that others can reach"};
    auto host = bindable(bound->host);
    if (host && !may_reach_others && !is_loopback(*host))
        return Error{ErrorCode::bad_request, "without keys a node listens on loopback only, not on " + listen +
                                                 ": set --key and --keys, or --insecure if everyone on the "
                                                 "network may read and change everything"};
    return host;
}

std::optional<Error> Sockets::bind(const SocketOptions& options) {
    const auto host = host_to_bind(options.listen, options.advertise, options.keys || options.insecure);
    if (!host) return host.error();
    const auto listen = parse_address(options.listen);
    const auto advertise = parse_address(options.advertise.empty() ? options.listen : options.advertise);
    report_security(options, *host);
    if (is_loopback(*host) && advertise->host == listen->host)
        dialer_.listens_on_loopback("--listen " + options.listen +
                                    (is_numeric(listen->host) ? "" : " (" + *host + ")"));
    const auto door = door_.server().bind(*host, listen->port, "--listen");
    if (!door) return door.error();
    const auto control = control_socket_.server().bind(*host, options.control_port, "--control-port");
    if (!control) return control.error();
    const auto gossip = gossip_socket_.bind(*host, options.gossip_port);
    if (!gossip) return gossip.error();
    publisher_port_ = *gossip;
    // Port 0 of the advertised address stands for the port that was bound. Any other one is forwarded to it.
    listens_on_ = with_port(listen->host, *door);
    address_ = with_port(advertise->host, advertise->port == 0 ? *door : advertise->port);
    control_address_ = with_port(advertise->host, *control);
    gossip_address_ = with_port(advertise->host, *gossip);
    if (address_.find('%') != std::string::npos)
        log_({2,
              "zoned_address",
              "this node announces " + address_ +
                  ": only hosts whose interface has the same name reach it; advertise a name or another address",
              {{"address", address_}}});
    return std::nullopt;
}

void Sockets::report_security(const SocketOptions& options, const std::string& host) {
    if (!is_loopback(host) && options.scope == "default")
        log_(
            {2,
             "default_scope",
             "this node listens on " + options.listen +
                 " in the scope 'default': give each cluster its own scope, because nodes of one scope that meet at an "
                 "address become one cluster",
             {{"address", options.listen}, {"scope", options.scope}}});
    counters_.secured(options.keys ? Secured::curve : Secured::loopback);
    if (options.keys || is_loopback(host)) return;
    counters_.secured(Secured::insecure);
    log_({2,
          "insecure",
          "insecure: anyone who can reach " + options.listen +
              " can read and change everything; set --key and --keys to prevent this",
          {{"address", options.listen}}});
}

void Sockets::wait(std::chrono::nanoseconds timeout, std::chrono::microseconds busy) {
    if (const auto due = resolver_.deadline(); due != Resolver::Instant::max())
        timeout = std::clamp<std::chrono::nanoseconds>(due - std::chrono::steady_clock::now(), timeout.zero(), timeout);
    poller_.clear();
    poller_.add(wakeup_->fd(), POLLIN);
    for (Socket* socket : {&gossip_socket_.subscriber(), &gossip_socket_.echo(), &gossip_socket_.publisher().socket(),
                           &control_socket_.server().socket(), &door_.server().socket()})
        poller_.add(*socket);
    for (Connections* connections : all_connections()) connections->add_to(poller_);
    dialer_.add_to(poller_);
    prober_.add_to(poller_);
    control_routes_.add_to(poller_);
    gossip_routes_.add_to(poller_);
    if (busy.count() == 0 || timeout.count() == 0)
        poller_.wait(timeout);
    else
        busy_poll(std::min(busy, std::chrono::ceil<std::chrono::microseconds>(timeout)),
                  [this] { return poller_.wait(std::chrono::nanoseconds(0)); });
    if (poller_.is_first_ready()) wakeup_->clear();
}

std::array<Connections*, 4> Sockets::all_connections() {
    return {&gossip_socket_.publisher().connections(), &gossip_socket_.subscriber_connections(),
            &control_socket_.server().connections(), &door_.server().connections()};
}

void Sockets::drain(const Emit& emit) {
    check_connections();
    gossip_socket_.drain_subscriptions(emit, ReceiveBudget(kSubscriptions));
    ReceiveBudget of_gossip(kTurn);
    gossip_socket_.drain_messages(emit, of_gossip);
    ReceiveBudget of_control(kTurn);
    control_socket_.drain(emit, of_control);
    dialer_.drain(emit, ReceiveBudget(kTurn));
    door_.drain(emit, ReceiveBudget(kTurn));
    if (!prober_.idle()) prober_.drain(emit);
    take_resolved(emit);
    control_routes_.advance();
    gossip_routes_.advance();
}

void Sockets::check_connections() {
    const bool check = now() - connections_checked_ >= kCheckConnectionsEvery;
    if (check) connections_checked_ = now();
    if (check) scarce_ = why_no_descriptors(kReserve);
    for (Connections* socket : all_connections()) {
        socket->scarce(scarce_ != 0);
        socket->drain();
        if (check) socket->check();
        if (check && scarce_ != 0) socket->refuse_waiting();
    }
}

void Sockets::drain_nodes(const Emit& emit) {
    ReceiveBudget left(kBeforeTick);
    for (std::size_t received = 1; received != 0 && !left.is_spent();) {
        ReceiveBudget of_gossip = left.part(kTurn);
        gossip_socket_.drain_messages(emit, of_gossip);
        left.spend(of_gossip);
        ReceiveBudget of_control = left.part(kTurn);
        control_socket_.drain(emit, of_control);
        left.spend(of_control);
        received = of_gossip.received() + of_control.received();
    }
}

void Sockets::take_resolved(const Emit& emit) {
    for (const auto& found : resolver_.take(std::chrono::steady_clock::now())) {
        dialer_.resolved(found);
        prober_.resolved(found, emit);
        control_routes_.resolved(found);
        gossip_routes_.resolved(found);
    }
}

void Sockets::perform(const cluster::Publish& action, const Emit&) {
    gossip_socket_.publish(action);
}

void Sockets::perform(const cluster::SendPeer& action, const Emit&) {
    links_.send_to(action.peer, action.message);
}

void Sockets::perform(const cluster::PublishTo& action, const Emit&) {
    gossip_socket_.publish_to(action.peer, action.message);
}

void Sockets::perform(const cluster::SendDoor& action, const Emit& emit) {
    if (!std::holds_alternative<proto::StatusReply>(action.message.body))
        return door_.send_to(action.connection, action.message, emit);
    // The core does not know the counters of the sockets.
    auto message = action.message;
    counters_.add_to(std::get<proto::StatusReply>(message.body).status.counters);
    door_.send_to(action.connection, message, emit);
}

void Sockets::perform(const cluster::Dial& action, const Emit&) {
    dialer_.dial(action.address, action.message);
}

void Sockets::perform(const cluster::HangUp& action, const Emit&) {
    dialer_.hang_up(action.address);
}

void Sockets::perform(const cluster::ConnectPeer& action, const Emit&) {
    if (!action.control.empty()) {
        links_.expect(action.peer.name);
        control_routes_.find(action.peer.name, action.control);
    }
    if (!action.gossip.empty()) gossip_routes_.find(action.peer.name, action.gossip);
}

void Sockets::perform(const cluster::DisconnectPeer& action, const Emit&) {
    control_routes_.forget(action.peer);
    gossip_routes_.forget(action.peer);
    links_.disconnect(action.peer);
    gossip_socket_.disconnect(action.peer);
}

void Sockets::perform(const cluster::CheckProcess& action, const Emit& emit) {
    prober_.check(action.peer, action.address, emit);
}

void Sockets::perform(const cluster::IdentityChanged& action, const Emit&) {
    gossip_socket_.identity_changed(action.self);
    door_.set_identity(action.self);
}

std::optional<Error> Sockets::apply_key_changes(const Emit& emit) {
    if (!security_.has_keys()) return std::nullopt;
    for (auto& line : security_.take_log_lines()) log_(std::move(line));
    const auto fresh = security_.take_changes();
    changes_ = {changes_.own || fresh.own, changes_.removed || fresh.removed, changes_.seen || fresh.seen};
    if ((!changes_.own && !changes_.removed && !changes_.seen) || now() < apply_changes_) return std::nullopt;
    if (changes_.own || changes_.removed) {
        auto error = reopen(emit);
        if (error && error->code != ErrorCode::overloaded) return error;
        if (error) {
            counters_.resource_refused(EMFILE);
            apply_changes_ = now() + kApplyChangesAgain;
            return std::nullopt;
        }
    }
    links_.keys_changed(changes_.own);
    gossip_socket_.keys_changed(changes_.own);
    dialer_.keys_changed(changes_.own);
    changes_ = {};
    return std::nullopt;
}

/// Closes the connections of all bound sockets, because libzmq cannot close a single one. Clients whose keys are
/// trusted connect again, and go on with their sessions and links. Must come before this node's own connections are
/// made again: a peer that loses one of those probes the gossip port, and while the port is being bound again it would
/// be refused and take this process for dead.
std::optional<Error> Sockets::reopen(const Emit& emit) {
    // Checked first, because a port that was closed and cannot be opened again is worse than an outdated key.
    if (const int error = why_no_descriptors(kReserve)) return shortage_error("cannot open the ports again", error);
    drain(emit);  // what was received already is not lost
    if (auto error = gossip_socket_.reopen()) return error;
    if (auto error = control_socket_.server().reopen()) return error;
    return door_.reopen();
}

void Sockets::start_flood_guard(std::function<std::chrono::milliseconds()> loop_age) {
    flood_guard_.emplace(std::move(loop_age), publisher_port_, counters_.connections);
}

void Sockets::expire() {
    door_.expire();
    dialer_.expire();
    links_.retry();
    shortage_.check(now(), scarce_);
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace muster::node
