#include <muster/node.hpp>

#include <algorithm>
#include <utility>

#include "node/admission/authenticator.hpp"
#include "node/io/clock.hpp"
#include "node/node_impl.hpp"
#include "proto/validate.hpp"

namespace muster {
namespace {

/// How long a call waits beyond its timeout. The core answers in time, unless the loop is stuck.
constexpr std::chrono::milliseconds kPatience{2000};

constexpr std::chrono::milliseconds kLongestTimeout = std::chrono::hours(24);

constexpr std::uint64_t kGroupsAtOnce = 512;
constexpr std::uint64_t kMembersAtOnce = 100;

/// Larger values would overflow the clock.
std::chrono::milliseconds bounded(std::chrono::milliseconds timeout) {
    return std::clamp(timeout, std::chrono::milliseconds(0), kLongestTimeout);
}

std::optional<Error> why_wrong(const Group& group) {
    if (auto why = proto::why_invalid(group); !why.empty()) return Error{ErrorCode::bad_request, std::move(why)};
    return std::nullopt;
}

}  // namespace

Result<Done> Node::check(const Options& options) {
    if (auto wrong = Impl::why_not(options)) return *std::move(wrong);
    return Done{};
}

Result<std::unique_ptr<Node>> Node::start(Options options) {
    auto impl = Impl::start(std::move(options));
    if (!impl) return impl.error();
    return std::unique_ptr<Node>(new Node(std::move(*impl)));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Node::~Node() {
    // In a fork, the destructors of threads, locks and sockets would wait for threads that are not there.
    if (impl_ && impl_->is_elsewhere()) static_cast<void>(impl_.release());
}

void Node::close() {
    if (!impl_->is_elsewhere()) impl_->close();
}

NodeId Node::id() const {
    return impl_->id();
}

std::string Node::address() const {
    return impl_->address;
}
bool Node::is_ready() const {
    return !impl_->is_elsewhere() && impl_->engine->is_ready();
}
bool Node::wait_ready(std::chrono::milliseconds timeout) const {
    return !impl_->is_elsewhere() && impl_->engine->wait_ready(timeout);
}
std::chrono::milliseconds Node::loop_age() const {
    if (impl_->is_elsewhere()) return std::chrono::milliseconds::max();
    const std::lock_guard lock(impl_->loop_mutex);
    return impl_->loop ? impl_->loop->age() : std::chrono::milliseconds::max();
}

Result<Node::Latencies> Node::latencies() const {
    if (auto closed = impl_->why_closed()) return *closed;
    node::Loop::Times times;
    {
        const std::lock_guard lock(impl_->loop_mutex);
        if (impl_->loop) times = impl_->loop->times();
    }
    auto core = impl_->engine->ask([](const cluster::Core& of_node) { return of_node.durations(); });
    return Latencies{times.turns, times.work, times.lateness, core.report, core.delivery, core.repair};
}

Result<std::string> Node::reload_keys() {
    if (auto closed = impl_->why_closed()) return *closed;
    if (!impl_->keys)
        return Error{ErrorCode::bad_request,
                     "this node has no keys: start it with a key file and a folder of trusted keys"};
    const auto changes = impl_->keys->reload();
    impl_->counts->keys_stale(impl_->keys->stale());
    for (auto& line : node::key_lines(changes)) impl_->log(std::move(line));
    impl_->wakeup->notify();
    if (!changes.problems.empty()) return Error{changes.problems.front().code, keys::text_of(changes.problems)};
    return keys::to_string(changes);
}

Result<Joined> Node::join(const Group& group, OnNotification handler, const JoinOptions& options) {
    if (impl_->is_elsewhere()) return Impl::elsewhere();
    const auto id = impl_->add_handler(group, std::move(handler));
    cluster::LocalJoin event;
    event.handler = id;
    event.group = group;
    event.count = options.count;
    event.meta = options.meta;
    event.visible = options.visible;
    event.timeout = bounded(options.timeout);
    const auto made = impl_->engine->join(event, bounded(options.timeout) + kPatience);
    if (!made) {
        const Error& error = made.error();
        // The members may exist. The caller is told that they do not, so they must be removed.
        if (error.code == ErrorCode::timeout) impl_->engine->post(cluster::HandlerGone{id});
        impl_->remove_handler(id);
        return error;
    }
    Joined joined;
    joined.unseen = made->unseen;
    joined.members.reserve(static_cast<std::size_t>(made->members.count));
    const NodeId self = impl_->id();
    for (std::uint64_t i = 0; i < made->members.count; ++i)
        joined.members.push_back({self, made->members.first.plus(i)});
    return joined;
}

Result<std::vector<MemberId>> Node::leave(const Group& group, std::uint64_t count) {
    if (impl_->is_elsewhere()) return Impl::elsewhere();
    if (auto wrong = why_wrong(group)) return *wrong;
    if (count == 0) return Error{ErrorCode::bad_request, "count is 0: give at least 1"};
    return impl_->leave(group, count);
}

Result<std::vector<MemberId>> Node::leave(const Group& group, const std::vector<MemberId>& members) {
    if (impl_->is_elsewhere()) return Impl::elsewhere();
    if (auto wrong = why_wrong(group)) return *wrong;
    const NodeId self = impl_->id();
    std::vector<MemberNumber> numbers;
    for (const auto& member : members)
        if (member.node == self) numbers.push_back(member.number);
    return impl_->leave(group, std::move(numbers));
}

Result<Members> Node::members(const Group& group) {
    if (impl_->is_elsewhere()) return Impl::elsewhere();
    return impl_->engine->members(group);
}

Result<Members> Node::local_members(const Group& group) {
    if (auto closed = impl_->why_closed()) return *closed;
    return Members(impl_->engine->ask([&](const cluster::Core& core) { return core.members(group, true); }));
}

Result<std::vector<GroupInfo>> Node::groups() {
    if (auto closed = impl_->why_closed()) return *closed;
    return impl_->engine->ask([](const cluster::Core& core) { return core.groups(); });
}

Result<std::vector<NodeInfo>> Node::nodes() {
    if (auto closed = impl_->why_closed()) return *closed;
    return impl_->engine->ask([](const cluster::Core& core) { return core.nodes(); });
}

Result<Status> Node::status() {
    if (auto closed = impl_->why_closed()) return *closed;
    auto status = impl_->engine->ask([](const cluster::Core& core) { return core.status(); });
    impl_->counts->add_to(status.counters);
    return status;
}

Result<std::map<std::string, std::uint64_t>> Node::counters() {
    if (auto closed = impl_->why_closed()) return *closed;
    auto counters = impl_->engine->ask([](const cluster::Core& core) { return core.counters(); });
    impl_->counts->add_to(counters);
    return counters;
}

Result<std::vector<NodeView>> Node::views() {
    if (auto closed = impl_->why_closed()) return *closed;
    return impl_->engine->ask([](const cluster::Core& core) { return core.views(node::now()); });
}

Result<GroupsPart> Node::groups_part(std::uint64_t from) {
    if (auto closed = impl_->why_closed()) return *closed;
    return impl_->engine->ask([&](const cluster::Core& core) { return core.groups_part(from, kGroupsAtOnce); });
}

Result<MembersPart> Node::members_part(const Group& group, std::uint64_t from) {
    if (auto closed = impl_->why_closed()) return *closed;
    return impl_->engine->ask(
        [&](const cluster::Core& core) { return core.members_part(group, from, kMembersAtOnce); });
}

Result<std::vector<Change>> Node::changes(std::uint64_t version) {
    if (auto closed = impl_->why_closed()) return *closed;
    return impl_->engine->ask([&](const cluster::Core& core) { return core.changes(version, node::now()); });
}

Result<NotifyReport> Node::notify(NotificationKind kind, const Group& group, const Data& data,
                                  const NotifyOptions& options) {
    if (impl_->is_elsewhere()) return Impl::elsewhere();
    if (auto why = proto::why_invalid(kind); !why.empty()) return Error{ErrorCode::bad_request, std::move(why)};
    cluster::LocalNotify event;
    event.kind = kind;
    event.group = group;
    event.data = data;
    event.wait = options.wait;
    event.timeout = bounded(options.timeout);
    const auto result = impl_->engine->call(std::move(event), bounded(options.timeout) + kPatience);
    if (const auto* error = std::get_if<Error>(&result)) return *error;
    return std::get<NotifyReport>(result);
}

Result<Watch> Node::watch(const Group& group, OnWatch handler) {
    if (impl_->is_elsewhere()) return Impl::elsewhere();
    if (auto wrong = why_wrong(group)) return *wrong;
    return impl_->watch(group, std::move(handler));
}

Result<Watch> Node::watch_all(OnWatch handler) {
    if (impl_->is_elsewhere()) return Impl::elsewhere();
    return impl_->watch(Group{}, std::move(handler));
}

bool Node::unwatch(Watch watch) {
    return !impl_->is_elsewhere() && impl_->unwatch(watch);
}

}  // namespace muster
