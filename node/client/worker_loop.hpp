// The shell around a session: its sockets, its clock, its turns.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "node/client/connection.hpp"
#include "node/client/handler_thread.hpp"
#include "node/client/reactor.hpp"
#include "node/client/session.hpp"
#include "node/client/state_file.hpp"

namespace muster::client {

/// Owns the session, the connection and every timer, on the thread of the process's reactor.
/// All public functions are thread-safe.
class WorkerLoop : private Reactor::Task {
public:
    /// `state`: where the session is kept for another process; may be empty.
    /// `keys`: empty for none.
    WorkerLoop(Session::Options options, std::size_t inbox, HandlerThread::Handlers handlers,
               std::shared_ptr<StateFile> state, std::shared_ptr<keys::Keyring> keys);
    ~WorkerLoop() override;

    /// Waits until it is attached. Errors: why not.
    Result<Done> wait_attached(std::chrono::milliseconds timeout);

    /// Posts a call and waits for its end.
    Reply call(Purpose purpose, std::chrono::milliseconds timeout);
    /// The same without waiting for the end, but for a place among the posts: kMostPosts and kMostPostedBytes
    /// of data have no end yet at a time. Errors in the future: those of notify; overloaded when no place was free.
    std::future<Result<NotifyReport>> post(NotifyCall notify, std::chrono::milliseconds timeout);
    /// Posts a call that makes a watch, and waits for its end.
    Reply watch(Watch watch, Group group, std::shared_ptr<WatchHandler> handler, std::chrono::milliseconds timeout);
    void unwatch(Watch watch, WatchHandler& handler);

    [[nodiscard]] NodeInfo node() const;

    /// Goodbye. Idempotent; the second caller waits for the first. Called by a
    /// handler it only begins the end, and the destructor waits for it.
    void close();

    // Half of what a session takes: other calls find room beside a thread that posts all the time.
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
    void check_port();
    [[nodiscard]] bool open(const std::string& address);
    void perform();
    void keep(const Keep& said);
    void publish_state();
    void wake();
    [[nodiscard]] bool may_close() const;
    void finish();
    [[nodiscard]] bool has_room() const;

    const std::shared_ptr<Reactor> reactor_;
    const std::shared_ptr<Reactor::Registration> registration_;
    std::shared_ptr<HandlerThread> handler_thread_;
    const std::shared_ptr<StateFile> state_;

    // of the reactor's thread
    Session session_;
    Connection connection_;
    PortCheck port_check_;
    std::string frame_;
    Actions actions_;
    std::vector<Item> items_;
    std::vector<Answer> answers_;
    bool listening_ = true;

    mutable std::mutex mutex_;
    std::vector<Command> commands_;
    std::unordered_map<CallId, PendingCall> calls_;
    std::size_t posts_ = 0;  // among them
    std::size_t posted_bytes_ = 0;
    std::condition_variable post_ended_;
    CallId last_call_;
    std::condition_variable changed_;
    bool attached_ = false;
    bool rejected_ = false;
    bool closing_ = false;
    Instant close_until_{};  // how long the running handler may delay the goodbye
    Error problem_;
    NodeInfo node_;

    std::once_flag closed_;
};

}  // namespace muster::client
