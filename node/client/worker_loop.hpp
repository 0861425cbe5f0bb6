// Runs one worker's session on the reactor: its sockets, its clock, and the calls of other threads.
#pragma once

#include <muster/log_line.hpp>

#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "node/client/carrier.hpp"
#include "node/client/connection.hpp"
#include "node/client/handler_queue.hpp"
#include "node/client/reactor.hpp"
#include "node/client/session.hpp"
#include "node/client/state_file.hpp"
#include "node/io/resolver.hpp"

namespace muster::client {

/// The session and the connection are used on the reactor's thread only. Other threads queue commands for it. All
/// public functions are thread-safe.
class WorkerLoop : private Reactor::Task {
public:
    /// `inbox`: items received and not handled, beyond which nothing is read from the node. `state`: where the session
    /// is kept for another process; null: nowhere. `keys`: null: no encryption. `log`: any thread. Throws
    /// std::system_error if the system has no more descriptors or threads.
    WorkerLoop(Session::Options options, std::size_t inbox, HandlerQueue::Handlers handlers,
               std::shared_ptr<StateFile> state, const std::shared_ptr<keys::Keyring>& keys,
               std::function<void(LogLine)> log);
    ~WorkerLoop() override;

    /// Whether this process is a fork of the one that made the worker. Then calls return `elsewhere()` immediately, and
    /// the object must be leaked.
    [[nodiscard]] bool is_elsewhere() const { return reactor_->is_elsewhere(); }
    static Error elsewhere();

    /// Waits until the worker is attached. Errors: why it is not.
    Result<Done> wait_attached(std::chrono::milliseconds timeout);

    /// Makes a call and waits for its answer.
    Reply call(Purpose purpose, std::chrono::milliseconds timeout);
    /// Does not wait for the report. At most kMostPosts posts with kMostPostedBytes of data are unanswered; at that
    /// bound it waits for an answer, at most the timeout. Errors in the future: those of notify, and overloaded if the
    /// bound was still reached after the timeout.
    std::future<Result<NotifyReport>> post(NotifyCall notify, std::chrono::milliseconds timeout);
    /// Makes a watch and waits for the answer.
    Reply watch(Watch watch, Group group, std::shared_ptr<WatchHandler> handler, std::chrono::milliseconds timeout);
    /// Afterwards the handler is not called any more. Waits while it runs, unless called by it.
    void unwatch(Watch watch, WatchHandler& handler);

    /// The node that the worker is attached to, or was last.
    [[nodiscard]] NodeInfo node() const;

    /// Says goodbye and waits for the end. Idempotent: a second caller waits, too. Called by a handler it does not
    /// wait; the destructor does.
    void close();

    // Half of what a session takes, so that a thread that posts all the time leaves room for other calls.
    static constexpr std::size_t kMostPosts = Requests::kMost / 2;
    static constexpr std::size_t kMostPostedBytes = Requests::kMostBytes / 2;

private:
    using Command = std::function<void(Session&, Instant now)>;

    struct Posted {
        std::promise<Result<NotifyReport>> report;
        std::size_t bytes = 0;
    };
    using PendingCall = std::variant<std::promise<Reply>, Posted>;

    Reply wait(const std::function<Command(CallId)>& make);
    void answer(std::vector<Answer>& answers);
    void fulfil(PendingCall& waiting, Reply&& reply);
    std::optional<Instant> turn() override;
    [[nodiscard]] Instant next_turn() const;
    void update_listening();
    void run_commands();
    void report_progress();
    void receive();
    void lose_connection();
    void check_port();
    void check_port(const Check& check);
    [[nodiscard]] bool open(const Open& open);
    void look_up(const std::string& address);
    void take_resolved();
    void report_shortage(int error);
    void perform();
    bool perform_actions();
    void perform_action(Action& action);
    void keep(const Keep& said);
    void publish_state();
    void wake();
    [[nodiscard]] bool may_close() const;
    void finish();
    [[nodiscard]] bool has_room() const;

    const std::shared_ptr<Reactor> reactor_;
    const std::shared_ptr<Reactor::Registration> registration_;
    std::shared_ptr<HandlerQueue> handlers_;
    const std::shared_ptr<StateFile> state_;
    const std::function<void(LogLine)> log_;

    // Used by the reactor's thread only, except in the constructor.
    Session session_;
    Line line_;
    Line old_line_;  // while the worker moves: that of the session which it leaves
    PortCheck port_check_;
    node::Resolver resolver_;
    std::map<std::string, std::string> looked_up_;  // by "host:port": the address that the session wants to know
    std::vector<node::Resolver::Found> known_;      // results that the session has not been given yet
    Actions actions_;
    std::vector<Item> items_;
    std::vector<Answer> answers_;
    bool short_ = false;     // of descriptors, as logged
    bool listening_ = true;  // false: the inbox is full, so nothing is read from the node

    mutable std::mutex mutex_;
    std::vector<Command> commands_;
    std::unordered_map<CallId, PendingCall> calls_;
    std::size_t posts_ = 0;  // among calls_
    std::size_t posted_bytes_ = 0;
    std::condition_variable post_ended_;
    CallId last_call_;
    std::condition_variable changed_;
    bool attached_ = false;
    bool rejected_ = false;
    bool closing_ = false;
    Instant close_until_{};  // until then the goodbye waits for the handler that runs
    Error problem_;
    NodeInfo node_;

    std::once_flag closed_;
};

}  // namespace muster::client
