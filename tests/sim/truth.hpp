// The truth, kept outside the cores: which members every owner really has, and
// what each watcher has been told of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/core.hpp"
#include "tests/sim/record.hpp"

namespace muster::sim {

/// Who joined: a handler of the node (no worker's name), or a session of a worker.
struct Owner {
    std::string worker;
    std::uint64_t number = 0;  // handler, or session token

    bool operator==(const Owner&) const = default;
    bool operator<(const Owner& other) const { return std::tie(worker, number) < std::tie(other.worker, other.number); }
};

struct TrueMember {
    Group group;
    Owner owner;
    Meta meta;
    std::uint64_t mark = 0;  // its share in digests
    bool gone = false;
    Reason reason = Reason::left;
};

/// "{1 2 3}".
std::string to_text(const std::set<std::uint64_t>& numbers);
/// Whether a join or leave must be refused.
inline bool is_bad(const Group& group, std::uint64_t count) {
    return !is_valid(group) || count == 0 || count > 65536;
}

/// One life of one node, and all members that it ever had.
struct Life {
    NodeId id;
    std::uint64_t index = 0;
    bool running = true;
    bool graceful = false;              // how it ended
    std::optional<std::uint64_t> next;  // index of the life as which the process went on
    bool went_on = false;               // its process took another incarnation
    Duration ended{0};
    std::set<std::uint64_t> replaced;  // lives that run, and that it dropped for a later one of the same name
    std::map<std::uint64_t, TrueMember> ever;
    std::map<std::pair<Owner, Group>, std::set<std::uint64_t>> held;  // what stands now
    std::uint64_t present = 0;
    std::uint64_t digest = 0;                          // of what stands now
    std::map<std::uint64_t, std::uint64_t> digest_at;  // log position -> digest then
    std::map<std::uint64_t, std::uint64_t> refuted;    // refutation of its death -> log position then

    void join(std::uint64_t number, TrueMember member);
    void leave(std::uint64_t number, Reason reason);
    /// The given ones that stand, or else the `count` latest.
    [[nodiscard]] std::set<std::uint64_t> to_leave(const Owner& owner, const Group& group,
                                                   const std::vector<MemberNumber>& members, std::uint64_t count) const;
    [[nodiscard]] std::set<std::uint64_t> all_of(const Owner& owner) const;
    [[nodiscard]] bool stands(std::uint64_t number) const;
};

class Truth {
public:
    Life& begin(const NodeId& id);
    [[nodiscard]] Life* find(const NodeId& id);
    [[nodiscard]] Life& at(std::uint64_t index) { return *lives_[index]; }
    /// The node took another incarnation before it had ever had a member.
    void rename(Life& life, const NodeId& id);
    /// The node took another incarnation: one life ends, and the next begins with the members that stand.
    Life& succeed(Life& life, const NodeId& id);
    [[nodiscard]] const std::vector<std::unique_ptr<Life>>& lives() const { return lives_; }

private:
    std::vector<std::unique_ptr<Life>> lives_;
    std::map<NodeId, Life*> by_id_;
};

/// What one watcher knows from its snapshot and its events.
class View {
public:
    struct Part {
        Life* life = nullptr;
        std::set<std::uint64_t> numbers;
        std::uint64_t digest = 0;
    };

    View(std::string name, Group filter) : name_(std::move(name)), filter_(std::move(filter)) {}

    /// Throws a Violation when the event cannot follow what was told before, or tells of what never was.
    void take(const WatchEvent& event, Truth& truth);
    /// Throws a Violation unless the view equals the core's table.
    void compare(const cluster::Core& core) const;

    [[nodiscard]] const std::map<NodeId, Part>& parts() const { return parts_; }
    /// The snapshot, or the rest of it, is to come.
    [[nodiscard]] bool is_partial() const { return !started_; }
    [[nodiscard]] const Group& filter() const { return filter_; }

private:
    [[nodiscard]] bool watches_all() const { return filter_.store.empty(); }
    void join(const Group& group, const Member& member, Truth& truth);
    void leave(const Group& group, const Member& member, Reason reason, Truth& truth);
    [[noreturn]] void fail(const std::string& what) const { throw Violation("watcher " + name_ + ": " + what); }

    std::string name_;
    Group filter_;
    bool started_ = false;
    bool partial_ = false;  // parts of the snapshot are to come
    std::map<NodeId, Part> parts_;
};

}  // namespace muster::sim
