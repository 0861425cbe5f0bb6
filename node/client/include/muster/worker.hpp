// A process that is attached to one node of a list and owns members there.
#pragma once

#include <muster/tracker.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace muster {

/// Attaches to the first node that answers and fails over along the list. Its
/// members, handlers and watches outlive the session: a session that is lost is
/// resumed within its grace, with all that was missed meanwhile; after that,
/// or at another node, the worker joins and watches again by itself (its
/// members then have new numbers; the ids given earlier still name them in `leave`).
///
/// Handlers run one at a time on one thread of the Worker's own; a handler that
/// blocks holds back this worker's notifications and nobody else's. A
/// notification counts as delivered when its handlers have returned.
class Worker final : public Tracker {
public:
    struct Options {
        std::vector<std::string> nodes{};  // "host:port", tried in order, for ever
        std::string name{};                // empty: "<host name>-<process id>"
        std::string scope = "default";
        std::chrono::milliseconds connect_timeout{5000};  // for connect() alone
        std::size_t inbox = 65536;  // items received, not yet handled; when full, no more are taken
        /// Called (on the handlers' thread) when notifications were lost for good, with how many.
        std::function<void(std::uint64_t missed)> on_gap{};
        /// Called (on the handlers' thread) when the worker was attached ("attached to a at host:port",
        /// true) or lost its node (false).
        std::function<void(bool attached, const std::string& text)> on_attachment{};
    };

    /// Errors: bad_request, unreachable (no node answered in time), refused,
    /// wrong_scope, wrong_version, name_taken.
    static Result<std::unique_ptr<Worker>> connect(Options options);

    /// Says goodbye: the members leave at once, with reason `left`.
    ~Worker() override;
    /// As the destructor; all calls answer `closed` afterwards. Idempotent.
    void close();

    [[nodiscard]] const std::string& name() const;
    /// The node it is attached to, or was attached to last.
    [[nodiscard]] NodeInfo node() const;

    using Tracker::join;
    using Tracker::leave;
    Result<Joined> join(const Group& group, OnNotification handler, const JoinOptions& options) override;
    Result<std::vector<MemberId>> leave(const Group& group, std::uint64_t count) override;
    Result<std::vector<MemberId>> leave(const Group& group, const std::vector<MemberId>& members) override;
    Result<std::vector<Member>> members(const Group& group) override;
    Result<std::vector<Member>> local_members(const Group& group) override;
    Result<std::vector<GroupInfo>> groups() override;
    Result<std::vector<NodeInfo>> nodes() override;
    Result<Status> status() override;
    Result<NotifyReport> notify(NotificationKind kind, const Group& group, const Data& data,
                                const NotifyOptions& options) override;
    Result<Watch> watch(const Group& group, OnWatch handler) override;
    Result<Watch> watch_all(OnWatch handler) override;
    bool unwatch(Watch watch) override;

private:
    struct Impl;
    explicit Worker(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster
