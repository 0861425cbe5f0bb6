// Groups, members, notifications and status: the types that an embedded Node
// and a Worker share.
#pragma once

#include <muster/group.hpp>
#include <muster/ids.hpp>
#include <muster/result.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// The data of a notification: one encoded msgpack value. The cluster forwards it unchanged.
struct Data {
    std::string msgpack = "\xc0";  // exactly one value; nil by default

    bool operator==(const Data&) const = default;
};

/// Encodes JSON as msgpack. Errors: bad_request if the text is not JSON, nests deeper than 32, or is too large.
/// As part of another CMake project, this and to_json() need the option MUSTER_JSON.
Result<Data> data_from_json(std::string_view json);
/// Returns JSON on one line. Byte strings become base64, extensions {"ext":type,"data":base64}. Map keys that are
/// not strings become their JSON text; maps inside such a key become lists of pairs.
std::string to_json(const Data& data);

enum class NotificationKind : std::uint8_t { created = 1, updated = 2, deleted = 3 };
/// Why a member left.
enum class Reason : std::uint8_t { left = 1, worker_down = 2, node_down = 3, node_left = 4, moved = 5 };
/// Why a member did not get a notification.
enum class MissReason : std::uint8_t { node_down = 1, worker_down = 2, left = 3, overflow = 4, timeout = 5 };
enum class NodeState : std::uint8_t { alive = 1, suspect = 2, down = 3, left = 4 };

std::string_view to_string(NotificationKind kind);
std::string_view to_string(Reason reason);
std::string_view to_string(MissReason reason);
std::string_view to_string(NodeState state);

/// What a full queue of notifications does with the next one.
enum class OverflowPolicy : std::uint8_t {
    drop_oldest,    // drops the oldest; a gap reports how many
    refuse_newest,  // refuses the new one; the report says so
    disconnect      // ends the receiver's session (workers only)
};
/// Returns "drop_oldest", "refuse_newest" or "disconnect".
std::string_view to_string(OverflowPolicy policy);
/// The inverse of to_string. Errors: bad_request for any other text.
Result<OverflowPolicy> parse_overflow_policy(std::string_view text);

/// A member's metadata: at most 16 pairs, each text at most 255 bytes.
using Meta = std::map<std::string, std::string>;

/// Metadata that copies share, and that never changes. It reads like a `const Meta`. A list of a million members keeps
/// the metadata of one join once. Copy, use and destroy it on any thread.
class SharedMeta {
public:
    using value_type = Meta::value_type;
    using const_iterator = Meta::const_iterator;

    SharedMeta() = default;
    SharedMeta(Meta meta)  // NOLINT(google-explicit-constructor): takes the place of a Meta
        : meta_(meta.empty() ? nullptr : std::make_shared<const Meta>(std::move(meta))) {}
    SharedMeta(std::initializer_list<value_type> pairs) : SharedMeta(Meta(pairs)) {}

    operator const Meta&() const { return get(); }  // NOLINT(google-explicit-constructor): reads like one
    [[nodiscard]] const Meta& get() const { return meta_ ? *meta_ : none(); }
    [[nodiscard]] const_iterator begin() const { return get().begin(); }
    [[nodiscard]] const_iterator end() const { return get().end(); }
    [[nodiscard]] std::size_t size() const { return get().size(); }
    [[nodiscard]] bool empty() const { return !meta_; }
    [[nodiscard]] bool contains(const std::string& key) const { return get().contains(key); }
    [[nodiscard]] std::size_t count(const std::string& key) const { return get().count(key); }
    [[nodiscard]] const_iterator find(const std::string& key) const { return get().find(key); }
    /// Throws std::out_of_range if there is no such key.
    [[nodiscard]] const std::string& at(const std::string& key) const { return get().at(key); }

    friend bool operator==(const SharedMeta& a, const SharedMeta& b) {
        return a.meta_ == b.meta_ || a.get() == b.get();
    }

private:
    static const Meta& none();

    std::shared_ptr<const Meta> meta_;  // null: no pairs
};

struct Member {
    MemberId id;
    std::string worker;  // empty: a handler inside the node itself
    SharedMeta meta;

    bool operator==(const Member&) const = default;
};

struct Notification {
    NotificationKind kind = NotificationKind::created;
    Group group;
    Data data;
    NodeId from_node;                   // the notifier's node
    std::string from_worker;            // the notifier; empty: the node itself
    std::uint64_t seq = 0;              // rises at from_node; (from_node, seq) is unique
    std::vector<MemberNumber> members;  // the receiver's members that get it
    /// Number of the notification in its group, by from_node. While a member is joined, it gets 1 more each time: a
    /// jump is a loss, which a gap tells as well. 0: from_node is older.
    std::uint64_t group_seq = 0;

    bool operator==(const Notification&) const = default;
};

struct Missed {
    std::string node;
    std::uint64_t members = 0;
    MissReason reason = MissReason::timeout;

    bool operator==(const Missed&) const = default;
};

struct NotifyReport {
    std::uint64_t matched = 0;    // members known to the notifier's node
    std::uint64_t nodes = 0;      // nodes with at least one of them
    bool waited = false;          // whether `delivered` and all of `missed` are known
    std::uint64_t delivered = 0;  // members whose process acknowledged
    std::vector<Missed> missed;   // without waiting: only what was refused immediately

    bool operator==(const NotifyReport&) const = default;
};

/// Members of one group.
struct GroupMembers {
    Group group;
    std::vector<Member> members;

    bool operator==(const GroupMembers&) const = default;
};

/// An event of a watch: first a snapshot, then every join and leave in order.
/// A later snapshot (after a reconnect) replaces everything before it.
struct WatchEvent {
    enum class Kind : std::uint8_t { snapshot = 1, join = 2, leave = 3 };
    Kind kind = Kind::snapshot;
    /// For a leave. For a join `moved` if the members were at another node before, or in an earlier session here.
    Reason reason = Reason::left;
    std::vector<GroupMembers> groups;  // a join or leave has exactly one
    /// With Worker::WatchOptions::in_parts: the rest of this event is in the next one, unless that is not `continued`,
    /// because the session was lost: then the rest never comes.
    bool more = false;
    bool continued = false;

    bool operator==(const WatchEvent&) const = default;
};

std::string_view to_string(WatchEvent::Kind kind);

struct NodeInfo {
    NodeId id;
    NodeState state = NodeState::alive;
    std::string address;        // "host:port" that workers and seeds use
    std::uint64_t workers = 0;  // sessions, including those in their grace period
    bool draining = false;      // it asks its workers to go to other nodes

    bool operator==(const NodeInfo&) const = default;
};

struct GroupInfo {
    Group group;
    std::uint64_t members = 0;

    bool operator==(const GroupInfo&) const = default;
};

struct Status {
    NodeInfo node;
    std::string scope;
    bool ready = false;
    std::uint64_t seq = 0;  // position of the node's own log
    std::uint64_t groups = 0;
    std::uint64_t members = 0;
    std::uint64_t workers = 0;  // sessions, including those in their grace period
    std::map<std::string, std::uint64_t> counters;
    /// Channels to and from live nodes over which nothing arrives, each with the address that fails.
    std::vector<std::string> silent_channels{};

    bool operator==(const Status&) const = default;
};

/// Returns who can connect to the node, by its counters: "curve" (only peers with trusted keys), "loopback" (no keys,
/// only processes on its host) or "insecure" (no keys, any process that reaches it).
std::string_view security_of(const Status& status);

}  // namespace muster
