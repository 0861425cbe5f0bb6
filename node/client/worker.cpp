#include <muster/worker.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <system_error>
#include <utility>

#include "node/client/address_book.hpp"
#include "node/client/worker_loop.hpp"
#include "node/io/address.hpp"
#include "node/io/call_guarded.hpp"
#include "node/io/log_queue.hpp"
#include "node/io/shortage.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"
#include "proto/validate.hpp"

namespace muster {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCallTimeout{5000};  // of calls that have no timeout option
constexpr milliseconds kLongestTimeout = std::chrono::hours(24);

Error bad_request(std::string text) {
    return Error{ErrorCode::bad_request, std::move(text)};
}

std::optional<Error> bad_request_if(std::string why) {
    return why.empty() ? std::nullopt : std::optional(bad_request(std::move(why)));
}

milliseconds bounded(milliseconds timeout) {
    return std::clamp(timeout, milliseconds(0), kLongestTimeout);
}

/// Not 0. Two workers' lives must differ, so it has 64 random bits.
std::uint64_t random_life() {
    std::random_device random;
    return std::max<std::uint64_t>(1, std::uint64_t{random()} << 32 | random());
}

std::optional<Error> check(const Group& group) {
    return bad_request_if(proto::why_invalid(group));
}

std::optional<Error> check(NotificationKind kind, const Group& group, const Data& data) {
    if (auto error = bad_request_if(proto::why_invalid(kind))) return error;
    if (auto error = check(group)) return error;
    return bad_request_if(proto::why_invalid(data));
}

std::optional<Error> check_count(std::uint64_t count) {
    return bad_request_if(proto::why_invalid_count(count));
}

std::optional<Error> check(const Meta& meta) {
    return bad_request_if(proto::why_invalid(meta));
}

/// The name of the key, if there is one: nodes take no name that does not begin with it.
std::string key_name(const std::string& key_file) {
    std::string name = std::filesystem::path(key_file).stem();
    return is_valid_name(name) ? name : std::string();
}

/// "<host name>-<process id>", and a random number if that is 1, with "-2", "-3", … behind it for further workers of
/// one process. With a key, its name and a dot are in front of that; the key's name alone if there is no room.
std::string default_name(const std::string& key) {
    static std::atomic<unsigned> made{0};
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
    std::string name(host.data());
    for (char& c : name)
        if (!is_valid_name(std::string("a") + c)) c = '-';
    if (name.empty() || !is_valid_name(name.substr(0, 1))) name.insert(0, "w");
    std::string tail = '-' + std::to_string(::getpid());
    // In each container the first process is number 1, and those that share the host's network share its name.
    if (::getpid() == 1) tail += '-' + std::to_string(std::random_device{}() % 100'000);
    if (const unsigned number = ++made; number > 1) tail += '-' + std::to_string(number);
    const std::string head = key.empty() ? key : key + '.';
    if (head.size() + tail.size() > limits::kName) return key;
    return head + name.substr(0, limits::kName - head.size() - tail.size()) + tail;
}

std::optional<Error> check(const Worker::Options& options) {
    if (options.nodes.empty()) return bad_request("no node is given: give one or more, as host:port");
    for (const auto& address : options.nodes)
        if (!client::is_valid_address(address))
            return bad_request("'" + address + "' is not an address: write host:port, as in 127.0.0.1:7100");
    if (!is_valid_name(options.name))
        return bad_request("'" + options.name + "' is not a worker's name: use 1 to 64 of A-Z a-z 0-9 . _ -");
    if (options.scope.empty() || options.scope.size() > limits::kScope || !is_utf8(options.scope))
        return bad_request("'" + printable(options.scope) + "' is not a scope: use 1 to 64 bytes of UTF-8");
    if (options.key_file.empty() != options.keys_dir.empty())
        return bad_request("a key file and a folder of trusted keys belong together: give both or neither");
    if (options.inbox == 0) return bad_request("the inbox has room for 0 items: use 1 or more");
    return std::nullopt;
}

/// The worker's name and scope must be those of the session in the state file.
std::optional<Error> check_same(const Worker::Options& options, const client::SavedSession& saved) {
    if (!saved.token || (saved.worker == options.name && saved.scope == options.scope)) return std::nullopt;
    const bool same_worker = saved.worker == options.name;
    return bad_request("the state file " + options.state_file + " is of " +
                       (same_worker ? "scope " + saved.scope : "worker " + saved.worker) + ", not of " +
                       (same_worker ? options.scope : options.name) +
                       ": give each worker a file of its own, or move this one away to begin a new session");
}

using client::result_of;

}  // namespace

namespace {

/// What the log of a worker without `on_log` is: lines on standard error.
void write_line(const std::string& worker, const LogLine& line) {
    const std::string text = "muster: worker " + worker + ": " + line.text + "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

/// Shared, because a handler that destroys its worker still runs afterwards.
struct Faults {
    explicit Faults(const Worker::Options& options)
        : log(
              options.on_log ? options.on_log
                             : [worker = options.name](const LogLine& line) { write_line(worker, line); },
              std::make_shared<node::LogCounts>()) {}

    std::atomic<std::uint64_t> handler_exceptions = 0;
    node::LogQueue log;
};

client::HandlerQueue::Handlers handlers_of(const Worker::Options& options, const std::shared_ptr<Faults>& faults) {
    client::HandlerQueue::Handlers handlers;
    if (options.on_gap)
        handlers.on_gap = [on_gap = options.on_gap](const client::Lost& lost) { on_gap({lost.missed, lost.at_least}); };
    handlers.on_attachment = options.on_attachment;
    handlers.on_state_lost = options.on_state_lost;
    handlers.on_exception = [faults](const std::string& whose, std::string_view what) {
        ++faults->handler_exceptions;
        faults->log.push(node::threw_line(whose, what));
    };
    return handlers;
}

}  // namespace

struct Worker::Impl {
    Impl(Options o, const std::shared_ptr<client::StateFile>& state, const std::shared_ptr<keys::Keyring>& keys)
        : options(std::move(o)),
          loop(session_options(options, state.get()), options.inbox, handlers_of(options, faults), state, keys,
               [kept = faults](LogLine line) { kept->log.push(std::move(line)); }) {}

    static client::Session::Options session_options(const Options& options, const client::StateFile* state) {
        client::Session::Options session;
        session.name = options.name;
        session.scope = options.scope;
        session.nodes = options.nodes;
        session.in_order = options.in_order;
        session.listed_only = options.listed_only;
        session.random_seed = std::random_device{}();
        session.life = random_life();
        session.keeps = state != nullptr;
        if (state != nullptr) session.saved = state->saved();
        session.claim_timeout = bounded(options.state_claim_timeout);
        return session;
    }

    const Options options;
    const std::shared_ptr<Faults> faults = std::make_shared<Faults>(options);
    std::mutex mutex;
    Watch last_watch;
    std::map<Watch, std::shared_ptr<client::WatchHandler>> watches;
    client::WorkerLoop loop;  // last, so that it ends before the members that its threads use

    Result<Members> members(const Group& group, bool local);
    Result<Watch> watch(const Group& group, OnWatch handler, const WatchOptions& how);
    bool unwatch(Watch watch);
};

Worker::Worker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Worker::~Worker() {
    // In a fork, the destructors of threads, locks and sockets would wait for threads that are not there.
    if (impl_->loop.is_elsewhere()) {
        static_cast<void>(impl_.release());
    } else {
        close();
    }
}

Result<std::unique_ptr<Worker>> Worker::connect(Options options) {
    std::shared_ptr<client::StateFile> state;
    if (!options.state_file.empty()) {
        auto opened = client::StateFile::open(options.state_file);
        if (!opened) return opened.error();
        state = std::move(*opened);
        if (options.name.empty()) options.name = state->saved().worker;
    }
    if (options.name.empty()) options.name = default_name(key_name(options.key_file));
    for (auto& address : options.nodes) address = node::plain_address(address);
    if (auto error = check(options)) return *error;
    if (auto error = state ? check_same(options, state->saved()) : std::nullopt) return *error;
    std::shared_ptr<keys::Keyring> keys;
    if (!options.key_file.empty()) {
        auto opened = keys::Keyring::open({options.key_file, options.keys_dir});
        if (!opened) return opened.error();
        keys = *std::move(opened);
    }
    const auto timeout = bounded(options.connect_timeout);
    constexpr const char* kFailed = "cannot make a worker";
    try {
        auto impl = std::make_unique<Impl>(std::move(options), state, keys);
        if (auto attached = impl->loop.wait_attached(timeout); !attached) {
            const int error = node::why_no_descriptors(1);
            return error != 0 ? node::shortage_error(kFailed, error) : attached.error();
        }
        return std::unique_ptr<Worker>(new Worker(std::move(impl)));
    } catch (const std::system_error& refused) {
        return node::shortage_error(kFailed, refused.code().value());
    }
}

void Worker::close() {
    impl_->loop.close();
}

const std::string& Worker::name() const {
    return impl_->options.name;
}

std::uint64_t Worker::handler_exceptions() const {
    return impl_->faults->handler_exceptions;
}

NodeInfo Worker::node() const {
    return impl_->loop.node();
}

Result<Joined> Worker::join(const Group& group, OnNotification handler, const JoinOptions& options) {
    if (auto error = check(group)) return *error;
    if (auto error = check_count(options.count)) return *error;
    if (auto error = check(options.meta)) return *error;
    const auto timeout = bounded(options.timeout);
    client::JoinCall call;
    call.request = {group, options.count, options.meta, options.visible, client::time_for_node(timeout)};
    call.handler = std::make_shared<const OnNotification>(std::move(handler));
    return result_of<Joined>(impl_->loop.call(std::move(call), timeout));
}

Result<std::vector<MemberId>> Worker::leave(const Group& group, std::uint64_t count) {
    if (auto error = check(group)) return *error;
    if (auto error = check_count(count)) return *error;
    return result_of<std::vector<MemberId>>(impl_->loop.call(client::LeaveCall{group, {}, count, {}}, kCallTimeout));
}

Result<std::vector<MemberId>> Worker::leave(const Group& group, const std::vector<MemberId>& members) {
    if (auto error = check(group)) return *error;
    if (members.empty())
        return Error{ErrorCode::not_joined, "no members are given: give the ids of those that are to leave"};
    if (auto error = check_count(members.size())) return *error;
    return result_of<std::vector<MemberId>>(
        impl_->loop.call(client::LeaveCall{group, members, members.size(), {}}, kCallTimeout));
}

Result<Members> Worker::Impl::members(const Group& group, bool local) {
    if (auto error = check(group)) return *error;
    auto members =
        result_of<std::vector<Member>>(loop.call(client::QueryCall{proto::MembersRequest{group, local}}, kCallTimeout));
    if (!members) return members.error();
    return Members(*std::move(members));
}

Result<Members> Worker::members(const Group& group) {
    return impl_->members(group, false);
}

Result<Members> Worker::local_members(const Group& group) {
    return impl_->members(group, true);
}

Result<std::vector<GroupInfo>> Worker::groups() {
    return result_of<std::vector<GroupInfo>>(impl_->loop.call(client::QueryCall{proto::GroupsRequest{}}, kCallTimeout));
}

Result<std::vector<NodeInfo>> Worker::nodes() {
    return result_of<std::vector<NodeInfo>>(impl_->loop.call(client::QueryCall{proto::NodesRequest{}}, kCallTimeout));
}

Result<Status> Worker::status() {
    return result_of<Status>(impl_->loop.call(client::QueryCall{proto::StatusRequest{}}, kCallTimeout));
}

Result<Done> Worker::forget(const std::string& node) {
    if (!is_valid_name(node))
        return Error{ErrorCode::bad_request, "'" + node + "' is no name of a node: give it as muster nodes shows it"};
    return result_of<Done>(impl_->loop.call(client::QueryCall{proto::ForgetRequest{node}}, kCallTimeout));
}

Result<Done> Worker::drain(bool on) {
    return result_of<Done>(impl_->loop.call(client::QueryCall{proto::DrainRequest{on}}, kCallTimeout));
}

Result<Done> Worker::move_workers(std::uint64_t count, const std::string& to) {
    if (!client::is_valid_address(to))
        return Error{ErrorCode::bad_request, "'" + to + "' is no address: give HOST:PORT or NAME@HOST:PORT"};
    return result_of<Done>(impl_->loop.call(client::QueryCall{proto::MoveRequest{count, to}}, kCallTimeout));
}

Result<NotifyReport> Worker::notify(NotificationKind kind, const Group& group, const Data& data,
                                    const NotifyOptions& options) {
    if (auto error = check(kind, group, data)) return *error;
    const auto timeout = bounded(options.timeout);
    client::NotifyCall call{{kind, group, data, options.wait, client::time_for_node(timeout)}};
    return result_of<NotifyReport>(impl_->loop.call(std::move(call), timeout));
}

std::future<Result<NotifyReport>> Worker::post(NotificationKind kind, const Group& group, const Data& data,
                                               const NotifyOptions& options) {
    if (auto error = check(kind, group, data)) {
        std::promise<Result<NotifyReport>> refused;
        refused.set_value(std::move(*error));
        return refused.get_future();
    }
    const auto timeout = bounded(options.timeout);
    return impl_->loop.post({{kind, group, data, options.wait, client::time_for_node(timeout)}}, timeout);
}

Result<Watch> Worker::watch(const Group& group, OnWatch handler) {
    return watch(group, std::move(handler), WatchOptions());
}

Result<Watch> Worker::watch_all(OnWatch handler) {
    return watch_all(std::move(handler), WatchOptions());
}

Result<Watch> Worker::watch(const Group& group, OnWatch handler, const WatchOptions& options) {
    if (auto error = check(group)) return *error;
    return impl_->watch(group, std::move(handler), options);
}

Result<Watch> Worker::watch_all(OnWatch handler, const WatchOptions& options) {
    return impl_->watch({}, std::move(handler), options);
}

bool Worker::unwatch(Watch watch) {
    return impl_->unwatch(watch);
}

Result<Watch> Worker::Impl::watch(const Group& group, OnWatch handler, const WatchOptions& how) {
    if (loop.is_elsewhere()) return client::WorkerLoop::elsewhere();
    const auto shared = std::make_shared<client::WatchHandler>(std::move(handler), how.in_parts);
    Watch made;
    {
        const std::lock_guard lock(mutex);
        made = last_watch = last_watch.next();
        watches.emplace(made, shared);
    }
    auto done = result_of<Done>(loop.watch(made, group, shared, kCallTimeout));
    if (done) return made;
    unwatch(made);
    return done.error();
}

bool Worker::Impl::unwatch(Watch watch) {
    if (loop.is_elsewhere()) return false;
    std::shared_ptr<client::WatchHandler> handler;
    {
        const std::lock_guard lock(mutex);
        const auto found = watches.find(watch);
        if (found == watches.end()) return false;
        handler = std::move(found->second);
        watches.erase(found);
    }
    loop.unwatch(watch, *handler);
    return true;
}

}  // namespace muster
