#include "node/client/worker_loop.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "node/io/shortage.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kToOpen = 2;  // descriptors of a connection: one of ours and one of libzmq
constexpr int kMessagesPerTurn = 256;
constexpr milliseconds kLastHandler{200};  // the goodbye waits so long: what the handler handles counts as delivered
constexpr milliseconds kClosingTurn{20};
constexpr std::size_t kRoomForAnswers = 1024;  // items beyond the inbox's bound; a node's window is not larger

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

WorkerLoop::WorkerLoop(Session::Options options, std::size_t inbox, HandlerQueue::Handlers handlers,
                       std::shared_ptr<StateFile> state, const std::shared_ptr<keys::Keyring>& keys,
                       std::function<void(LogLine)> log)
    : reactor_(Reactor::shared()),
      registration_(std::make_shared<Reactor::Registration>(static_cast<Reactor::Task&>(*this))),
      state_(std::move(state)),
      log_(std::move(log)),
      session_(std::move(options)),
      line_(*reactor_, registration_, keys),
      old_line_(*reactor_, registration_, keys),
      resolver_([this] { wake(); }) {
    if (state_)
        handlers.on_handled = [kept = state_](std::uint64_t session, std::uint64_t seq) {
            kept->handled(session, seq);
        };
    // The queue can outlive this object (see HandlerQueue::join), so it must not use `this`.
    handlers_ = std::make_shared<HandlerQueue>(
        reactor_->handlers(), inbox, std::move(handlers),
        [reactor = reactor_, registration = registration_] { reactor->wake(registration); });
    problem_ = session_.problem();
    session_.start(clock_now());
    reactor_->add(registration_);
}

WorkerLoop::~WorkerLoop() {
    close();
    reactor_->wait_until_ended(registration_);  // close() did not wait if a handler destroys this worker
    handlers_->join();
}

void WorkerLoop::close() {
    if (is_elsewhere()) return;
    {
        const std::lock_guard lock(mutex_);
        if (!closing_) close_until_ = clock_now() + (handlers_->is_current() ? milliseconds(0) : kLastHandler);
        closing_ = true;
    }
    post_ended_.notify_all();
    handlers_->stop();
    wake();
    if (handlers_->is_current()) return;
    std::call_once(closed_, [this] {
        reactor_->wait_until_ended(registration_);
        handlers_->join();
    });
}

void WorkerLoop::wake() {
    reactor_->wake(registration_);
}

// ---- on any thread -----------------------------------------------------------

Result<Done> WorkerLoop::wait_attached(milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [this] { return attached_ || rejected_; });
    if (attached_) return Done{};
    return problem_;
}

namespace {

Error closed() {
    return {ErrorCode::closed, "the worker has been closed"};
}

}  // namespace

Error WorkerLoop::elsewhere() {
    return {ErrorCode::closed,
            "the worker belongs to another process, and this is a fork of it: connect a new one here"};
}

Reply WorkerLoop::wait(const std::function<Command(CallId)>& make) {
    if (is_elsewhere()) return elsewhere();
    std::future<Reply> answer;
    {
        const std::lock_guard lock(mutex_);
        if (closing_) return closed();
        last_call_ = last_call_.next();
        answer = calls_[last_call_].emplace<std::promise<Reply>>().get_future();
        commands_.push_back(make(last_call_));
    }
    wake();
    return answer.get();
}

std::future<Result<NotifyReport>> WorkerLoop::post(NotifyCall notify, milliseconds timeout) {
    const auto deadline = clock_now() + timeout;
    Posted posted{{}, notify.request.data.msgpack.size()};
    auto report = posted.report.get_future();
    if (is_elsewhere()) {
        posted.report.set_value(elsewhere());
        return report;
    }
    {
        std::unique_lock lock(mutex_);
        const bool in_time = post_ended_.wait_until(lock, deadline, [&] {
            return closing_ || (posts_ < kMostPosts && posted_bytes_ + posted.bytes <= kMostPostedBytes);
        });
        if (closing_ || !in_time) {
            posted.report.set_value(closing_ ? closed()
                                             : Error{ErrorCode::overloaded,
                                                     "too many posts are unanswered: post less, or allow "
                                                     "more time"});
            return report;
        }
        ++posts_;
        posted_bytes_ += posted.bytes;
        const CallId id = last_call_ = last_call_.next();
        calls_.emplace(id, std::move(posted));
        commands_.emplace_back([id, deadline, notify = std::move(notify)](Session& session, Instant now) mutable {
            session.call(now, id, deadline, std::move(notify));
        });
    }
    wake();
    return report;
}

Reply WorkerLoop::call(Purpose purpose, milliseconds timeout) {
    const auto deadline = clock_now() + timeout;
    return wait([&](CallId id) -> Command {
        return [id, deadline, purpose = std::move(purpose)](Session& session, Instant now) mutable {
            session.call(now, id, deadline, std::move(purpose));
        };
    });
}

Reply WorkerLoop::watch(Watch watch, Group group, std::shared_ptr<WatchHandler> handler, milliseconds timeout) {
    const auto deadline = clock_now() + timeout;
    return wait([&](CallId id) -> Command {
        return [=](Session& session, Instant now) { session.watch(now, id, deadline, watch, group, handler); };
    });
}

void WorkerLoop::unwatch(Watch watch, WatchHandler& handler) {
    handler.ended = true;
    {
        const std::lock_guard lock(mutex_);
        commands_.emplace_back([watch](Session& session, Instant now) { session.unwatch(now, watch); });
    }
    wake();
    handlers_->wait_until_idle(handler);
}

NodeInfo WorkerLoop::node() const {
    if (is_elsewhere()) return {};
    const std::lock_guard lock(mutex_);
    return node_;
}

// ---- on the reactor's thread -------------------------------------------------

/// Everything that has arrived is handed to the session before `tick`: see Session.
std::optional<Instant> WorkerLoop::turn() {
    if (may_close()) {
        finish();
        return std::nullopt;
    }
    run_commands();
    report_progress();
    update_listening();
    receive();
    take_resolved();
    check_port();
    session_.tick(clock_now());
    perform();
    publish_state();
    return next_turn();
}

Instant WorkerLoop::next_turn() const {
    const auto now = clock_now();
    if (listening_ && line_.has_input()) return now;
    const auto next = std::min({session_.next_deadline(), resolver_.deadline(), port_check_.deadline()});
    const std::lock_guard lock(mutex_);
    return closing_ ? std::min(next, now + kClosingTurn) : next;
}

bool WorkerLoop::may_close() const {
    const std::lock_guard lock(mutex_);
    return closing_ && commands_.empty() && (handlers_->has_ended() || clock_now() >= close_until_);
}

void WorkerLoop::report_progress() {
    const auto progress = handlers_->progress();
    session_.handled(progress.session, progress.seq);
}

void WorkerLoop::finish() {
    const bool was_attached = session_.is_attached();
    report_progress();
    session_.tick(clock_now());
    session_.close();
    perform();
    if (was_attached) {
        line_.close_gently();
    } else {
        line_.close();
    }
    old_line_.close_gently();
    const std::lock_guard lock(mutex_);
    attached_ = false;
    for (auto& [id, call] : calls_) fulfil(call, closed());
    calls_.clear();
}

bool WorkerLoop::has_room() const {
    // A handler may wait for the answer to a call. That answer can be behind stream items, so these are read as well.
    const std::size_t more = session_.awaits_answer() ? kRoomForAnswers : 0;
    return handlers_->size() < handlers_->capacity() + more;
}

void WorkerLoop::update_listening() {
    const bool listened = std::exchange(listening_, has_room());
    if (!listened || !listening_) session_.not_listening(clock_now());
}

void WorkerLoop::run_commands() {
    std::vector<Command> commands;
    {
        const std::lock_guard lock(mutex_);
        commands.swap(commands_);
    }
    const auto now = clock_now();
    for (auto& command : commands) command(session_, now);
    perform();
}

void WorkerLoop::receive() {
    if (!listening_) return;
    proto::Decoded message = proto::DecodeError::malformed;
    for (int i = 0; i < kMessagesPerTurn && line_.receive(message); ++i) {
        const auto now = clock_now();
        const bool was_attached = session_.is_attached();
        if (message) {
            session_.message_arrived(now, std::move(*message), line_.peer());
        } else {
            session_.undecodable(now, message.error());
        }
        if (was_attached && !session_.is_attached())
            break;  // the messages behind it came over a connection that was given up
    }
    perform();
    if (line_.is_broken()) lose_connection();
}

void WorkerLoop::lose_connection() {
    line_.close();
    session_.connection_broken(clock_now());
    // The next attempt is made in the next turn: a list of addresses that all fail immediately must not recurse.
    wake();
}

void WorkerLoop::check_port() {
    const auto now = clock_now();
    const auto result = port_check_.take_result(now);
    if (!result) return;
    using State = node::PortProbe::State;
    if (*result == State::refused || *result == State::no_route)
        session_.connection_refused(now, port_check_.endpoint());
    else if (*result == State::connecting)
        session_.connection_unanswered(now, port_check_.endpoint());
    perform();
}

void WorkerLoop::take_resolved() {
    const auto now = clock_now();
    for (auto& found : resolver_.take(now)) known_.push_back(std::move(found));
    perform();
}

void WorkerLoop::look_up(const std::string& address) {
    const std::string host_port(host_port_of(address));
    looked_up_[host_port] = address;
    if (auto found = resolver_.ask(host_port)) known_.push_back(*std::move(found));
}

void WorkerLoop::check_port(const Check& check) {
    if (!port_check_.start(check.endpoint, clock_now() + check.patience)) return;
    if (port_check_.fd() < 0) return wake();  // the result is known already
    if (!reactor_->listen(*registration_, port_check_.fd(), Reactor::Ready::to_write)) port_check_.stop();
}

void WorkerLoop::report_shortage(int error) {
    if (std::exchange(short_, error != 0) == short_) return;
    const auto why = node::reason_and_advice(error);
    if (short_)
        log_({2, "resources_short", "cannot connect: " + why + "; trying again", {{"detail", why}}});
    else
        log_({1, "resources_back", "there are descriptors to connect again", {}});
}

bool WorkerLoop::open(const Open& open) {
    const int error = node::why_no_descriptors(kToOpen);
    report_shortage(error);
    return error == 0 && line_.open(open.address, open.endpoint);
}

void WorkerLoop::perform() {
    bool broken = perform_actions();
    while (!broken && !known_.empty()) {
        for (auto& found : std::exchange(known_, {}))
            if (const auto wanted = looked_up_.extract(found.address); !wanted.empty())
                session_.resolved(clock_now(), wanted.mapped(), std::move(found.numeric));
        broken = perform_actions();
    }
    handlers_->push(items_);
    answer(answers_);
    if (broken) lose_connection();
}

/// True if the connection is broken. What was to be sent over it is dropped then.
bool WorkerLoop::perform_actions() {
    bool broken = false;
    session_.take_actions(actions_);
    for (auto& action : actions_) {
        if (const auto* send = std::get_if<Send>(&action)) {
            broken = broken || !line_.send(send->message);
        } else if (const auto* open = std::get_if<Open>(&action)) {
            broken = !this->open(*open);
        } else {
            perform_action(action);
        }
    }
    return broken;
}

/// Any action but Send and Open.
void WorkerLoop::perform_action(Action& action) {
    if (auto* item = std::get_if<Item>(&action)) {
        items_.push_back(std::move(*item));
    } else if (auto* answer = std::get_if<Answer>(&action)) {
        answers_.push_back(std::move(*answer));
    } else if (const auto* wanted = std::get_if<LookUp>(&action)) {
        look_up(wanted->address);
    } else if (const auto* check = std::get_if<Check>(&action)) {
        check_port(*check);
    } else if (const auto* said = std::get_if<Keep>(&action)) {
        keep(*said);
    } else if (const auto* reserve = std::get_if<Reserve>(&action)) {
        state_->reserve(reserve->requests);
    } else if (std::holds_alternative<KeepOld>(action)) {
        line_.hand_over(old_line_);
    } else if (const auto* old = std::get_if<SendOld>(&action)) {
        old_line_.send(old->message);
    } else if (std::holds_alternative<CloseOld>(action)) {
        old_line_.close_gently();
    }
}

void WorkerLoop::answer(std::vector<Answer>& answers) {
    if (answers.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, reply] : answers) {
            const auto found = calls_.find(id);
            if (found == calls_.end()) continue;
            fulfil(found->second, std::move(reply));
            calls_.erase(found);
        }
    }
    answers.clear();
    post_ended_.notify_all();
}

/// The caller holds the lock.
void WorkerLoop::fulfil(PendingCall& waiting, Reply&& reply) {
    if (auto* caller = std::get_if<std::promise<Reply>>(&waiting)) return caller->set_value(std::move(reply));
    auto& posted = std::get<Posted>(waiting);
    --posts_;
    posted_bytes_ -= posted.bytes;
    posted.report.set_value(result_of<NotifyReport>(std::move(reply)));
}

void WorkerLoop::keep(const Keep& said) {
    if (auto error = state_->keep(said.message, said.session)) {
        Item item;
        item.what = StateLost{std::move(error->text)};
        items_.push_back(std::move(item));
    }
}

void WorkerLoop::publish_state() {
    const std::lock_guard lock(mutex_);
    const bool attached = session_.is_attached();
    const bool rejected = session_.is_rejected();
    if (!attached) problem_ = session_.problem();
    if (attached && (!attached_ || node_.id != session_.node().id || node_.address != session_.node().address))
        node_ = session_.node();
    if (attached != attached_ || rejected != rejected_) changed_.notify_all();
    attached_ = attached;
    rejected_ = rejected;
}

}  // namespace muster::client
