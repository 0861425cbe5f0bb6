#include "node/client/worker_loop.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <csignal>
#include <string_view>
#include <utility>

namespace muster::client {
namespace {

using std::chrono::milliseconds;

constexpr int kDrain = 256;                // frames a turn
constexpr milliseconds kLastHandler{200};  // to return, so that its notification counts as delivered
constexpr milliseconds kClosingTurn{20};
constexpr std::size_t kRoomForAnswers = 1024;  // items beyond the inbox's bound: the node's own window

/// Signals are the program's affair: threads made here do not take them.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

WorkerLoop::WorkerLoop(Session::Options options, std::size_t inbox, Inbox::Handlers handlers,
                       std::shared_ptr<StateFile> state)
    : wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), state_(std::move(state)), session_(std::move(options)) {
    if (state_)
        handlers.on_handled = [kept = state_](std::uint64_t session, std::uint64_t seq) {
            kept->handled(session, seq);
        };
    const SignalsBlocked blocked;
    // The inbox's thread can outlive the loop (see Inbox::join), so it wakes through an fd of its own.
    const std::shared_ptr<const int> wake_fd(new int(::dup(wake_fd_)), [](const int* fd) { ::close(*fd), delete fd; });
    inbox_ = std::make_shared<Inbox>(inbox, std::move(handlers), [wake_fd] { ::eventfd_write(*wake_fd, 1); });
    problem_ = session_.problem();
    inbox_->start();
    thread_ = std::thread([this] { run(); });
}

WorkerLoop::~WorkerLoop() {
    close();
    if (thread_.joinable()) thread_.join();  // destroyed by a handler
    inbox_->join();
    ::close(wake_fd_);
}

void WorkerLoop::close() {
    {
        const std::lock_guard lock(mutex_);
        if (!closing_) close_until_ = clock_now() + (inbox_->on_own_thread() ? milliseconds(0) : kLastHandler);
        closing_ = true;
    }
    place_.notify_all();
    inbox_->stop();
    wake();
    if (inbox_->on_own_thread()) return;
    std::call_once(closed_, [this] {
        thread_.join();
        inbox_->join();
    });
}

void WorkerLoop::wake() {
    ::eventfd_write(wake_fd_, 1);
}

// ---- called by users -------------------------------------------------------

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

/// Under the lock. Whether the loop has to be woken: it has not been for a command that it has yet to take.
bool WorkerLoop::command(Command command) {
    commands_.push_back(std::move(command));
    return commands_.size() == 1;
}

Reply WorkerLoop::wait(const std::function<Command(CallId)>& make) {
    std::future<Reply> answer;
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (closing_) return closed();
        last_call_ = last_call_.next();
        answer = calls_[last_call_].emplace<std::promise<Reply>>().get_future();
        first = command(make(last_call_));
    }
    if (first) wake();
    return answer.get();
}

std::future<Result<NotifyReport>> WorkerLoop::post(NotifyCall notify, milliseconds timeout) {
    const auto deadline = clock_now() + timeout;
    Posted posted{{}, notify.request.data.msgpack.size()};
    auto report = posted.report.get_future();
    bool first = false;
    {
        std::unique_lock lock(mutex_);
        const bool in_time = place_.wait_until(lock, deadline, [&] {
            return closing_ || (posts_ < kMostPosts && posted_bytes_ + posted.bytes <= kMostPostedBytes);
        });
        if (closing_ || !in_time) {
            posted.report.set_value(closing_ ? closed()
                                             : Error{ErrorCode::overloaded,
                                                     "too many posts wait for their answer: "
                                                     "post less, or allow more time"});
            return report;
        }
        ++posts_;
        posted_bytes_ += posted.bytes;
        const CallId id = last_call_ = last_call_.next();
        calls_.emplace(id, std::move(posted));
        first = command([id, deadline, notify = std::move(notify)](Session& session, Instant now) mutable {
            session.call(now, id, deadline, std::move(notify));
        });
    }
    if (first) wake();
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
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = command([watch](Session& session, Instant now) { session.unwatch(now, watch); });
    }
    if (first) wake();
    inbox_->wait_until_idle(handler);
}

NodeInfo WorkerLoop::node() const {
    const std::lock_guard lock(mutex_);
    return node_;
}

// ---- the loop --------------------------------------------------------------

void WorkerLoop::run() {
    session_.start(clock_now());
    perform();
    while (!may_close()) {
        poll();
        take_commands();
        take_progress();
        receive();
        check_port();
        session_.tick(clock_now());
        perform();
        publish_state();
    }
    finish();
}

bool WorkerLoop::may_close() const {
    const std::lock_guard lock(mutex_);
    return closing_ && commands_.empty() && (inbox_->has_ended() || clock_now() >= close_until_);
}

void WorkerLoop::take_progress() {
    const auto progress = inbox_->progress();
    session_.handled(progress.session, progress.seq);
}

void WorkerLoop::finish() {
    const bool was_attached = session_.is_attached();
    take_progress();
    session_.tick(clock_now());
    session_.close();
    perform();
    was_attached ? connection_.close_gently() : connection_.close();
    const std::lock_guard lock(mutex_);
    attached_ = false;
    for (auto& [id, call] : calls_) fulfil(call, closed());
    calls_.clear();
}

bool WorkerLoop::has_room() const {
    // A handler may wait for an answer that stands behind further items.
    const std::size_t more = session_.awaits_answer() ? kRoomForAnswers : 0;
    return inbox_->size() < inbox_->capacity() + more;
}

void WorkerLoop::poll() {
    const auto now = clock_now();
    const auto left = session_.next_deadline() - now;
    // Rounded up: a tick before its time would only have to come again.
    auto timeout = std::chrono::ceil<milliseconds>(std::clamp<Duration>(left, Duration{}, milliseconds(1000)));
    {
        const std::lock_guard lock(mutex_);
        if (closing_) timeout = std::min(timeout, kClosingTurn);
    }
    listening_ = has_room();
    if (!listening_) session_.not_listening(now);

    std::array<zmq::pollitem_t, 3> items{};
    std::size_t count = 0;
    items[count++] = {nullptr, wake_fd_, ZMQ_POLLIN, 0};
    if (port_check_.fd() >= 0) items[count++] = {nullptr, port_check_.fd(), ZMQ_POLLOUT, 0};
    if (listening_ && connection_.handle() != nullptr) items[count++] = {connection_.handle(), 0, ZMQ_POLLIN, 0};
    try {
        zmq::poll(items.data(), count, timeout);
    } catch (const zmq::error_t&) {
        // EINTR: the turn goes on and polls again.
    }
    eventfd_t ignored = 0;
    if ((items[0].revents & ZMQ_POLLIN) != 0) ::eventfd_read(wake_fd_, &ignored);
}

void WorkerLoop::take_commands() {
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
    zmq::message_t frame;
    for (int i = 0; i < kDrain && connection_.receive(frame); ++i) {
        const auto now = clock_now();
        if (frame.more()) continue;  // nothing of ours has parts
        auto decoded = proto::decode({static_cast<const char*>(frame.data()), frame.size()});
        const bool was_attached = session_.is_attached();
        decoded ? session_.message_arrived(now, std::move(*decoded)) : session_.undecodable(now, decoded.error());
        if (was_attached && !session_.is_attached()) break;  // what follows belongs to a connection given up
    }
    perform();
}

void WorkerLoop::check_port() {
    const auto now = clock_now();
    if (!port_check_.is_refused(now)) return;
    session_.connection_refused(now, port_check_.address());
    perform();
}

void WorkerLoop::perform() {
    bool broken = false;
    for (auto& action : session_.take_actions()) {
        if (auto* send = std::get_if<Send>(&action)) {
            if (broken) continue;
            frame_.clear();
            proto::encode(send->message, frame_);
            broken = !connection_.send(frame_);
        } else if (auto* item = std::get_if<Item>(&action)) {
            items_.push_back(std::move(*item));
        } else if (auto* answer = std::get_if<Answer>(&action)) {
            answers_.push_back(std::move(*answer));
        } else if (const auto* open = std::get_if<Open>(&action)) {
            broken = !connection_.open(open->address);
        } else if (const auto* check = std::get_if<Check>(&action)) {
            port_check_.start(check->address, clock_now());
        } else if (const auto* said = std::get_if<Keep>(&action)) {
            keep(*said);
        } else if (const auto* reserve = std::get_if<Reserve>(&action)) {
            state_->reserve(reserve->requests);
        }
    }
    inbox_->push(items_);
    answer(answers_);
    if (!broken) return;
    connection_.close();
    session_.connection_broken(clock_now());
    // What that asks for (the next attempt) is done in the next turn, so that a
    // list of addresses that all fail at once does not recurse.
    wake();
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
    place_.notify_all();
}

/// Under the lock.
void WorkerLoop::fulfil(Waiting& waiting, Reply&& reply) {
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
