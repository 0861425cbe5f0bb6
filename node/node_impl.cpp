#include "node/node_impl.hpp"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <system_error>

#include "cluster/check.hpp"
#include "node/admission/key_notary.hpp"
#include "node/io/address.hpp"
#include "node/io/clock.hpp"
#include "node/io/memory_limit.hpp"
#include "node/io/shortage.hpp"
#include "node/queue_limits.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

namespace muster {
namespace {

constexpr auto kLeastHandoverWindow = std::chrono::seconds(1);
constexpr auto kDrainLook = std::chrono::milliseconds(10);

constexpr std::size_t kWatchEvents = 65536;     // in the inbox of one watch
constexpr std::size_t kWatchBytes = 64u << 20;  // in the inbox of one watch
constexpr std::size_t kMostThreads = 4096;      // for handlers
constexpr std::size_t kItemBytes = 256;         // approximate memory of an event, of a group in it, and of each member

Error bad(std::string text) {
    return {ErrorCode::bad_request, std::move(text)};
}

std::optional<Error> why_wrong_queues(const Node::Options::Queues& queues) {
    for (const auto& [name, queue] : {std::pair("backlog", &queues.backlog), std::pair("link", &queues.link)})
        if (queue->items < node::kLeastQueueItems || queue->bytes < node::kLeastQueueBytes)
            return bad("queues." + std::string(name) + ": at least 16 items and 4194304 bytes");
    if (queues.link.policy == OverflowPolicy::disconnect)
        return bad("queues.link.policy: only workers can be disconnected; choose drop_oldest or refuse_newest");
    if (queues.inbox.items == 0 || queues.inbox.bytes == 0) return bad("queues.inbox: at least 1 item and 1 byte");
    if (queues.inbox.policy == OverflowPolicy::disconnect)
        return bad("queues.inbox.policy: a handler cannot be disconnected; choose drop_oldest or refuse_newest");
    return std::nullopt;
}

std::optional<Error> why_wrong_limits(const Node::Options::Limits& limits) {
    for (const std::size_t limit : {limits.workers, limits.worker_members, limits.worker_groups, limits.worker_bytes,
                                    limits.worker_watches, limits.peers, limits.handler_threads})
        if (limit == 0)
            return bad(
                "limits: workers, worker_members, worker_groups, worker_bytes, worker_watches, peers and "
                "handler_threads are at least 1");
    if (limits.connections < node::kLeastConnections || limits.connection_bytes < node::kLeastQueueBytes)
        return bad("limits: connections is at least 16, connection_bytes at least 4194304");
    if (limits.memory != 0 && limits.memory < node::kLeastMemory)
        return bad("limits.memory is at least 64 MiB, or 0 for a quarter of the memory of the machine or cgroup");
    if (limits.worker_requests < node::kLeastRequests)
        return bad("limits.worker_requests is at least 1024: a worker may send so many before it has an answer");
    if (limits.max_handler_threads < limits.handler_threads || limits.max_handler_threads > kMostThreads)
        return bad("limits.max_handler_threads is at least handler_threads (" + std::to_string(limits.handler_threads) +
                   ") and at most " + std::to_string(kMostThreads));
    return std::nullopt;
}

std::optional<Error> why_wrong_timing(const Node::Options::Timing& timing) {
    if (std::min({timing.session_grace, timing.ready_wait, timing.link_retention, timing.drain_timeout}).count() < 0)
        return bad("timing: session_grace, ready_wait, link_retention and drain_timeout cannot be negative");
    if (timing.handover_window < kLeastHandoverWindow || timing.handover_window > std::chrono::hours(1))
        return bad("timing.handover_window is 1000 to 3600000 ms");
    if (timing.busy_poll.count() < 0 || timing.busy_poll > std::chrono::seconds(1))
        return bad("timing.busy_poll is 0 to 1000000 us");
    return std::nullopt;
}

std::optional<Error> why_wrong(const Node::Options& options) {
    if (!is_valid_name(options.name))
        return bad("\"" + options.name +
                   "\" is not a node name: give 1 to 64 of [A-Za-z0-9._-], beginning with a letter or digit");
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
    if (options.scope.empty() || options.scope.size() > limits::kScope || !is_utf8(options.scope) ||
        std::any_of(options.scope.begin(), options.scope.end(), is_control))
        return bad("scope: give 1 to 64 bytes of UTF-8 without control characters");
    if (auto listen = node::parse_address(options.listen); !listen) return bad("listen: " + listen.error().text);
    if (!options.advertise.empty())
        if (auto advertise = node::parse_address(options.advertise); !advertise)
            return bad("advertise: " + advertise.error().text);
    for (const auto& seed : options.seeds)
        if (auto address = node::parse_named_address(seed); !address) return bad("seed: " + address.error().text);
    if (options.security.key_file.empty() != options.security.keys_dir.empty())
        return bad(
            "security: give both key_file (this node's own NAME.key) and keys_dir (the keys that it trusts), or "
            "neither");
    if (auto wrong = why_wrong_queues(options.queues)) return wrong;
    if (auto wrong = why_wrong_limits(options.limits)) return wrong;
    return why_wrong_timing(options.timing);
}

/// Microseconds since 1970, which grow from start to start as long as the clock is not set back. If it was, the core
/// finds a higher incarnation of its name in the cluster and adopts one above it.
Incarnation new_incarnation() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return Incarnation{
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count())};
}

std::uint64_t unguessable() {
    std::uint64_t bits = 0;
    MUSTER_CHECK(::getentropy(&bits, sizeof bits) == 0);
    return bits;
}

/// What the tables of all nodes take comes on top, as much again, and what libzmq holds, a quarter at each of three
/// ports: 2.73 times as much. With what malloc does not give back, a node under attack has taken 3.5 times as much.
std::size_t memory_bound(const Node::Options::Limits& limits) {
    return limits.memory != 0 ? limits.memory : node::memory_limit() / 4;
}

node::Connections::Bounds connection_bounds(const Node::Options::Limits& limits) {
    node::Connections::Bounds bounds{limits.connections, limits.connection_bytes};
    bounds.all_bytes = std::max(node::kLeastQueueBytes, memory_bound(limits) / 4);
    return bounds;
}

cluster::Options core_options(const Node::Options& options, const NodeId& self, const node::Sockets& sockets,
                              const std::shared_ptr<keys::Keyring>& keys) {
    cluster::Options core;
    core.scope = options.scope;
    core.self = self;
    core.address = sockets.address();
    core.control = sockets.control();
    core.gossip = sockets.gossip();
    for (const auto& seed : options.seeds) core.seeds.push_back(node::parse_named_address(seed)->address);
    if (keys) core.notary = std::make_shared<node::KeyNotary>(keys);
    std::random_device random;
    core.random_seed = (std::uint64_t{random()} << 32) | random();
    core.secret = unguessable;
    core.timing.ready_wait = options.timing.ready_wait;
    core.timing.link_retention = options.timing.link_retention;
    core.timing.handover_window = options.timing.handover_window;
    core.session.grace = options.timing.session_grace;
    core.bounds.backlog_items = options.queues.backlog.items;
    core.bounds.backlog_bytes = options.queues.backlog.bytes;
    core.bounds.backlog_policy = options.queues.backlog.policy;
    core.bounds.link_items = options.queues.link.items;
    core.bounds.link_bytes = options.queues.link.bytes;
    core.bounds.link_policy = options.queues.link.policy;
    const Node::Options::Limits& limits = options.limits;
    core.bounds.bound_memory(memory_bound(limits));
    core.bounds.sessions =
        std::min(limits.workers, node::most_sessions(node::share_descriptors(limits.connections).door));
    core.bounds.members_per_owner = limits.worker_members;
    core.bounds.groups_per_owner = limits.worker_groups;
    core.bounds.bytes_per_owner = limits.worker_bytes;
    core.bounds.watches_per_session = limits.worker_watches;
    core.bounds.requests_per_session = limits.worker_requests;
    core.bounds.peers = limits.peers;
    core.bounds.journal = limits.journal;
    return core;
}

node::Dialer::Expected expected_at(const std::vector<std::string>& seeds) {
    node::Dialer::Expected expected;
    for (const auto& seed : seeds)
        if (const auto named = node::parse_named_address(seed); named && !named->name.empty())
            expected.emplace(named->address, named->name);
    return expected;
}

std::size_t bytes_of(const WatchEvent& event) {
    std::size_t bytes = kItemBytes;
    for (const auto& group : event.groups) bytes += kItemBytes * (1 + group.members.size());
    return bytes;
}

}  // namespace

std::optional<Error> Node::Impl::why_not(const Node::Options& options) {
    if (auto wrong = why_wrong(options)) return wrong;
    const auto& security = options.security;
    if (!security.key_file.empty()) {
        const auto keys = keys::Keyring::open({security.key_file, security.keys_dir, options.name});
        if (!keys) return keys.error();
    }
    const auto host =
        node::host_to_bind(options.listen, options.advertise, !security.key_file.empty() || security.insecure);
    if (!host) return host.error();
    return std::nullopt;
}

Result<std::unique_ptr<Node::Impl>> Node::Impl::start(Node::Options given, node::DropFilter drop) {
    constexpr const char* kFailed = "cannot start a node";
    try {
        return start_or_throw(std::move(given), std::move(drop));
    } catch (const std::system_error& refused) {
        return node::shortage_error(kFailed, refused.code().value());
    } catch (const zmq::error_t& refused) {
        return node::shortage_error(kFailed, refused.num());
    }
}

Result<std::unique_ptr<Node::Impl>> Node::Impl::start_or_throw(Node::Options given, node::DropFilter drop) {
    if (auto wrong = why_wrong(given)) return *std::move(wrong);
    node::raise_descriptor_limit();
    auto impl = std::make_unique<Impl>(std::move(given));
    const auto& options = impl->options;
    const NodeId self{options.name, new_incarnation()};
    if (const auto& security = options.security; !security.key_file.empty()) {
        auto keys = keys::Keyring::open({security.key_file, security.keys_dir, options.name});
        if (!keys) return keys.error();
        impl->keys = *std::move(keys);
    }
    const node::SocketOptions wanted{options.scope,
                                     self,
                                     options.listen,
                                     options.advertise,
                                     options.control_port,
                                     options.gossip_port,
                                     std::move(drop),
                                     impl->keys,
                                     options.security.insecure,
                                     expected_at(options.seeds),
                                     connection_bounds(options.limits)};
    auto sockets = node::Sockets::open(wanted, *impl->counts, impl->wakeup,
                                       [raw = impl.get()](LogLine line) { raw->log(std::move(line)); });
    if (!sockets) return sockets.error();
    impl->address = (*sockets)->address();
    const auto listens_on = (*sockets)->listens_on();
    node::HandlerPool::Options handlers{.threads = options.limits.handler_threads,
                                        .max_threads = options.limits.max_handler_threads};
    handlers.busy_poll = options.timing.busy_poll;
    impl->pool.emplace(handlers);
    impl->engine.emplace(core_options(options, self, **sockets, impl->keys), impl->wakeup);
    impl->log({1,
               "started",
               "node " + options.name + " of scope " + options.scope + " listens on " + listens_on +
                   (listens_on == impl->address ? "" : " and advertises " + impl->address),
               {{"node", options.name}, {"scope", options.scope}, {"address", impl->address}}});
    impl->loop = std::make_unique<node::Loop>(*impl->engine, std::move(*sockets), *impl, options.timing.busy_poll);
    return impl;
}

Node::Impl::~Impl() {
    close();
}

/// The loop goes on meanwhile.
void Node::Impl::drain() {
    const auto until = std::chrono::steady_clock::now() + options.timing.drain_timeout;
    if (options.timing.drain_timeout.count() == 0 || !engine->post(cluster::Drain{})) return;
    const auto is_drained = [](const cluster::Core& core) { return core.is_drained(); };
    while (!engine->is_closed() && !engine->ask(is_drained) && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(kDrainLook);
}

void Node::Impl::close() {
    const std::lock_guard lock(closing);
    if (engine && !engine->is_closed()) {
        log({1, "leaving", "leaving", {}});
        drain();
    }
    // In this order: the closed engine ends the loop, and the loop is the only thread that gives work to the pool.
    if (engine) engine->close({ErrorCode::closed, "this node has been closed: start a new one"});
    std::unique_ptr<node::Loop> ended;
    {
        const std::lock_guard moment(loop_mutex);
        ended = std::move(loop);
    }
    ended.reset();
    if (pool) pool->stop();
    log_queue->close();
}

cluster::HandlerId Node::Impl::add_handler(const Group& group, OnNotification handler) {
    const std::uint64_t number = ++last_handler;
    if (!handler) return cluster::HandlerId{number | node::kIdleHandler};
    const auto& queue = options.queues.inbox;
    const node::NotificationInbox::Limits limits{queue.items, queue.bytes, queue.policy};
    node::NotificationInbox::OnGap on_gap;
    if (options.on_gap) on_gap = [group, on_gap = options.on_gap](std::uint64_t missed) { on_gap(group, missed); };
    auto inbox = node::make_inbox(*pool, limits, group, std::move(handler), std::move(on_gap), {errors(), outcomes});
    const cluster::HandlerId id{number};
    const std::lock_guard lock(mutex);
    handlers.emplace(id, std::move(inbox));
    return id;
}

void Node::Impl::remove_handler(cluster::HandlerId id) {
    if (node::is_idle(id)) return;
    std::shared_ptr<node::NotificationInbox> removed;  // destroyed unlocked: a handler's captures may call the node
    {
        const std::lock_guard lock(mutex);
        const auto found = handlers.find(id);
        if (found == handlers.end()) return;
        removed = std::move(found->second);
        handlers.erase(found);
    }
    if (removed) removed->abandon();
}

Result<std::vector<MemberId>> Node::Impl::leave(const Group& group, const node::OwnMembers::Wanted& wanted) {
    const auto left = engine->leave(group, wanted);
    if (!left) return left.error();
    for (const auto handler : left->ended) remove_handler(handler);
    const NodeId self = id();
    std::vector<MemberId> ids;
    ids.reserve(left->members.size());
    for (const MemberNumber number : left->members) ids.push_back({self, number});
    return ids;
}

Result<Watch> Node::Impl::watch(const Group& group, OnWatch handler) {
    if (!handler) return bad("a watch needs a handler");
    const auto run = [handler = std::move(handler), guarded = errors(), group](const std::shared_ptr<Told>& told) {
        WatchEvent event = std::move(told->parts.front());
        for (auto part = told->parts.begin() + 1; part != told->parts.end(); ++part)
            proto::append(event, std::move(*part));
        event.more = false;
        guarded.guard(group, [&] { handler(event); });
    };
    const WatchInbox::Limits limits{kWatchEvents, kWatchBytes};
    Watcher watcher{group, {}, std::make_shared<WatchInbox>(*pool, limits, run)};
    Watch watch;
    {
        // Registered before the core knows the watch, because the loop may deliver the snapshot before post() returns.
        const std::lock_guard lock(mutex);
        watch = Watch{++last_watch};
        watcher.id = cluster::WatchId{++last_watch_id};
        watch_of.emplace(watcher.id, watch);
        watchers.emplace(watch, watcher);
    }
    if (engine->post(cluster::LocalWatch{watcher.id, group})) return watch;
    unwatch(watch);
    return *engine->why_closed();
}

bool Node::Impl::unwatch(Watch watch) {
    std::optional<Watcher> ended;
    {
        const std::lock_guard lock(mutex);
        const auto found = watchers.find(watch);
        if (found == watchers.end()) return false;
        ended = std::move(found->second);
        watch_of.erase(ended->id);
        watchers.erase(found);
    }
    engine->post(cluster::LocalUnwatch{ended->id});
    ended->inbox->close();
    return true;
}

void Node::Impl::deliver(cluster::Deliver&& deliver) {
    deliver_batches.add(std::move(deliver));
}

void Node::Impl::deliver(const cluster::DeliverGap& gap) {
    flush_deliveries();  // notifications before the gap must reach the inbox first
    if (const auto inbox = inbox_of(gap.handler)) inbox->lose(gap.missed);
}

void Node::Impl::flush_deliveries() {
    deliver_batches.flush([this](cluster::HandlerId handler) { return inbox_of(handler); });
}

std::shared_ptr<node::NotificationInbox> Node::Impl::inbox_of(cluster::HandlerId handler) const {
    if (node::is_idle(handler)) return nullptr;
    const std::lock_guard lock(mutex);
    const auto found = handlers.find(handler);
    return found == handlers.end() ? nullptr : found->second;
}

void Node::Impl::tell(cluster::TellWatcher&& tell) {
    Watcher watcher;
    Watch watch;
    {
        const std::lock_guard lock(mutex);
        const auto found = watch_of.find(tell.watch);
        if (found == watch_of.end()) return;  // unwatched meanwhile
        watch = found->second;
        watcher = watchers.at(watch);
    }
    Told& told = *watcher.told;
    if (!tell.event.continued) told = {};
    told.bytes += bytes_of(tell.event);
    told.parts.push_back(std::move(tell.event));
    if (told.parts.back().more) return;
    const std::size_t bytes = told.bytes;
    if (watcher.inbox->offer(std::make_shared<Told>(std::exchange(told, {})), 1, bytes)) return;
    // The handler is too slow for every event. A fresh snapshot replaces all that wait.
    watcher.inbox->clear();
    engine->step(cluster::LocalUnwatch{watcher.id});
    {
        const std::lock_guard lock(mutex);
        const auto found = watchers.find(watch);
        if (found == watchers.end()) return;  // unwatched meanwhile
        // A new id, so that events of the old watch, which may wait in this turn's actions, are not taken for the new.
        watch_of.erase(watcher.id);
        watcher.id = found->second.id = cluster::WatchId{++last_watch_id};
        watch_of.emplace(watcher.id, watch);
    }
    engine->step(cluster::LocalWatch{watcher.id, watcher.group});
    // If unwatch() came in between, the core did not know the new id when it was told to end the watch.
    if (!is_watched(watcher.id)) engine->step(cluster::LocalUnwatch{watcher.id});
}

bool Node::Impl::is_watched(cluster::WatchId id) const {
    const std::lock_guard lock(mutex);
    return watch_of.contains(id);
}

void Node::Impl::note(cluster::Note&& note) {
    log(node::to_line(note));
}

void Node::Impl::stopped(Error&& error) {
    engine->close(error);
    if (!options.on_stopped) return;
    const node::ScopedSignalMask of_user(signals);
    node::call_guarded([&] { options.on_stopped(error); },
                       [&](std::string_view what) {
                           counts->handler_threw();
                           log(node::threw_line("on_stopped", what));
                       });
}

}  // namespace muster
