#include "node/sockets/sockets.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "node/io/address.hpp"
#include "node/io/busy_poll.hpp"
#include "node/io/clock.hpp"
#include "node/io/zmq_io.hpp"

namespace muster::node {
namespace {

constexpr std::size_t kBudget = 256;  // messages of one socket in one turn
constexpr std::size_t kSubscriptions = 8192;
constexpr auto kCheckEvery = std::chrono::milliseconds(50);
constexpr std::size_t kJudging = 20'000;  // when someone might be judged silent
constexpr int kMaxSockets = 16384;        // a DEALER for each peer, and as many for dials

/// A numeric host to bind to.
Result<std::string> bindable(const std::string& host) {
    if (host == "*" || is_numeric(host)) return host;
    auto found = resolve(host);
    if (found.empty())
        return Error{ErrorCode::bad_request, "cannot resolve " + host + ": give --listen an address of this host"};
    return std::move(found.front());
}

/// Of a port for nodes, or else the front door.
Connections::Bounds bounds_of(const SocketOptions& options, bool for_nodes) {
    const auto shares = share_descriptors(options.connections.connections);
    return {for_nodes ? shares.nodes : shares.door, options.connections.bytes};
}

}  // namespace

Result<std::unique_ptr<Sockets>> Sockets::open(const SocketOptions& options, NodeCounters& counts,
                                               std::shared_ptr<Wakeup> wakeup, Log log) {
    std::unique_ptr<Sockets> sockets(new Sockets(options, counts, std::move(wakeup), std::move(log)));
    if (auto error = sockets->bind(options)) return *std::move(error);
    return sockets;
}

Sockets::Sockets(const SocketOptions& options, NodeCounters& counts, std::shared_ptr<Wakeup> wakeup, Log log)
    : counts_(counts),
      log_(std::move(log)),
      context_(1, kMaxSockets),
      wakeup_(std::move(wakeup)),
      security_(context_, options.keys, counts, wakeup_),
      resolver_(wakeup_),
      gossip_socket_(context_, options.scope, options.self, counts, security_, bounds_of(options, true), options.lose),
      door_(context_, counts, security_, bounds_of(options, false), log_),
      control_socket_(context_, counts, security_, bounds_of(options, true)),
      links_(context_, counts, security_),
      dialer_(context_, counts, resolver_, security_, options.expected, log_),
      prober_(resolver_) {
    door_.set_header({options.scope, options.self.name, options.self.incarnation.value, 0});
}

Sockets::~Sockets() = default;

Result<std::string> host_to_bind(const std::string& listen, const std::string& advertise, bool may_reach_others) {
    const auto bound = parse_address(listen);
    if (!bound) return bound.error();
    const auto told = parse_address(advertise.empty() ? listen : advertise);
    if (!told) return told.error();
    if (is_any(told->host))
        return Error{ErrorCode::bad_request, "nobody can connect to " + to_string(*told) +
                                                 ": say with --advertise HOST:PORT what others are to use"};
    auto host = bindable(bound->host);
    if (host && !may_reach_others && !is_loopback(*host))
        return Error{ErrorCode::bad_request, "without keys a node listens on loopback only, not on " + listen +
                                                 ": give it --key and --keys, or --insecure in a network where "
                                                 "everyone may read and change everything"};
    return host;
}

std::optional<Error> Sockets::bind(const SocketOptions& options) {
    const auto host = host_to_bind(options.listen, options.advertise, options.keys || options.insecure);
    if (!host) return host.error();
    const auto listen = parse_address(options.listen);
    const auto advertise = parse_address(options.advertise.empty() ? options.listen : options.advertise);
    tell_security(options, *host);
    const auto door = door_.server().bind(*host, listen->port);
    if (!door) return door.error();
    const auto control = control_socket_.server().bind(*host, options.control_port);
    if (!control) return control.error();
    const auto gossip = gossip_socket_.bind(*host, options.gossip_port);
    if (!gossip) return gossip.error();
    publisher_port_ = *gossip;
    // Port 0 of an advertised address means the port that was found; another one is a forwarded port.
    address_ = with_port(advertise->host, advertise->port == 0 ? *door : advertise->port);
    control_address_ = with_port(advertise->host, *control);
    gossip_address_ = with_port(advertise->host, *gossip);
    return std::nullopt;
}

void Sockets::tell_security(const SocketOptions& options, const std::string& host) {
    counts_.secured(options.keys ? Secured::curve : Secured::loopback);
    if (options.keys || is_loopback(host)) return;
    counts_.secured(Secured::insecure);
    log_({2,
          "insecure",
          "insecure: whoever reaches " + options.listen +
              " can read and change everything; --key and --keys would prevent it",
          {{"address", options.listen}}});
}

void Sockets::wait(std::chrono::nanoseconds timeout, std::chrono::microseconds awake) {
    // Rounded up: a tick that comes too early would do nothing, and be asked for again.
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout);
    const bool is_short = timeout.count() > 0 && timeout < std::chrono::milliseconds(1);
    if (is_short) alarm_.set(timeout);
    items_.clear();
    items_.push_back({nullptr, wakeup_->fd(), ZMQ_POLLIN, 0});
    if (is_short) items_.push_back({nullptr, alarm_.fd(), ZMQ_POLLIN, 0});
    for (zmq::socket_t* socket :
         {&gossip_socket_.subscriber(), &gossip_socket_.echo(), &gossip_socket_.server().socket(),
          &control_socket_.server().socket(), &door_.server().socket()})
        items_.push_back({socket->handle(), 0, ZMQ_POLLIN, 0});
    dialer_.add_to(items_);
    prober_.add_to(items_);
    const auto poll = [this](long milliseconds) {
        // EINTR is as good as a wakeup.
        return ::zmq_poll(items_.data(), static_cast<int>(items_.size()), milliseconds) != 0;
    };
    if (awake.count() == 0 || timeout.count() == 0)
        poll(static_cast<long>(rounded.count()));
    else
        busy_poll(std::min(awake, std::chrono::ceil<std::chrono::microseconds>(timeout)), [&] { return poll(0); });
    if (is_short) alarm_.clear();
    if (items_.front().revents != 0) wakeup_->clear();
}

void Sockets::drain(const Emit& emit) {
    watch_connections();
    gossip_socket_.drain_subscriptions(emit, kSubscriptions);
    gossip_socket_.drain_news(emit, kBudget);
    control_socket_.drain(emit, kBudget);
    dialer_.drain(emit, kBudget);
    door_.drain(emit, kBudget);
    if (!prober_.idle()) prober_.drain(emit);
    take_resolved(emit);
}

void Sockets::watch_connections() {
    const bool check = now() - checked_ >= kCheckEvery;
    if (check) checked_ = now();
    for (Connections* socket : {&gossip_socket_.server().connections(), &gossip_socket_.heard(),
                                &control_socket_.server().connections(), &door_.server().connections()}) {
        socket->drain();
        if (check) socket->check();
    }
}

void Sockets::drain_nodes(const Emit& emit) {
    std::size_t left = kJudging;
    for (;;) {
        const std::size_t taken = gossip_socket_.drain_news(emit, kBudget) + control_socket_.drain(emit, kBudget);
        if (taken == 0 || taken > left) return;
        left -= taken;
    }
}

void Sockets::take_resolved(const Emit& emit) {
    for (const auto& found : resolver_.take()) {
        dialer_.resolved(found);
        prober_.resolved(found, emit);
    }
}

void Sockets::perform(const cluster::Publish& action, const Emit&) {
    gossip_socket_.publish(action);
}

void Sockets::perform(const cluster::SendPeer& action, const Emit&) {
    links_.send_to(action.peer, action.message);
}

void Sockets::perform(const cluster::SendDoor& action, const Emit& emit) {
    if (!std::holds_alternative<proto::StatusReply>(action.message.body))
        return door_.send_to(action.connection, action.message, emit);
    // The core does not know the counters of the sockets.
    auto message = action.message;
    counts_.add_to(std::get<proto::StatusReply>(message.body).status.counters);
    door_.send_to(action.connection, message, emit);
}

void Sockets::perform(const cluster::Dial& action, const Emit&) {
    dialer_.dial(action.address, action.message);
}

void Sockets::perform(const cluster::HangUp& action, const Emit&) {
    dialer_.hang_up(action.address);
}

void Sockets::perform(const cluster::ConnectPeer& action, const Emit&) {
    links_.connect(action.peer.name, action.control);
    gossip_socket_.connect(action.peer.name, action.gossip);
}

void Sockets::perform(const cluster::DisconnectPeer& action, const Emit&) {
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

std::optional<Error> Sockets::follow_keys(const Emit& emit) {
    if (!security_.has_keys()) return std::nullopt;
    for (auto& line : security_.take_news()) log_(std::move(line));
    const auto changes = security_.take_changes();
    if (changes.own || changes.removed)
        if (auto error = reopen(emit)) return error;
    if (!changes.own && !changes.removed && !changes.seen) return std::nullopt;
    links_.follow_keys(changes.own);
    gossip_socket_.follow_keys(changes.own);
    dialer_.follow_keys(changes.own);
    return std::nullopt;
}

/// A socket cannot end one connection, so all end, and those whose key is good come back. Before the connections to
/// others: who sees one of those go asks the port whether this process is gone.
std::optional<Error> Sockets::reopen(const Emit& emit) {
    drain(emit);
    if (auto error = gossip_socket_.reopen()) return error;
    if (auto error = control_socket_.server().reopen()) return error;
    return door_.reopen();
}

void Sockets::guard(std::function<std::chrono::milliseconds()> loop_age) {
    flood_guard_.emplace(std::move(loop_age), publisher_port_, counts_.connections);
}

void Sockets::expire() {
    door_.expire();
    dialer_.expire();
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace muster::node
