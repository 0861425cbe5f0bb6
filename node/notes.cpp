#include "node/notes.hpp"

#include <algorithm>
#include <string_view>

namespace muster::node {
namespace {

using Kind = cluster::Note::Kind;

struct Wording {
    int severity;
    std::string_view before;  // text in front of the name
    std::string_view after;   // text behind the name
};

constexpr Wording wording(Kind kind) {
    switch (kind) {
        case Kind::ready:
            return {1, "ready", ""};
        case Kind::syncing:
            return {1, "syncing", ""};
        case Kind::node_up:
            return {1, "node ", " is up"};
        case Kind::node_suspect:
            return {2, "node ", " is suspected"};
        case Kind::node_down:
            return {2, "node ", " is down"};
        case Kind::node_left:
            return {1, "node ", " has left"};
        case Kind::self_accused:
            return {2, "other nodes reported this node as down; it has refuted that", ""};
        case Kind::name_taken:
            return {2, "this node's name is in use; checking whether its owner is alive", ""};
        case Kind::new_incarnation:
            return {2, "a later life of this node's name is known; this node takes a higher incarnation", ""};
        case Kind::dial_refused:
            return {2, "", " refused this node"};
        case Kind::peer_refused:
            return {2, "no room for node ", ""};
        case Kind::administered:
            return {2, "administered by ", ""};
        case Kind::worker_up:
            return {1, "worker ", " is attached"};
        case Kind::worker_resumed:
            return {1, "worker ", " is back"};
        case Kind::worker_lost:
            return {1, "worker ", " lost its connection"};
        case Kind::worker_down:
            return {1, "worker ", " is gone"};
        case Kind::snapshot_taken:
            return {0, "received the table of node ", ""};
        case Kind::digest_mismatch:
            return {2, "the table of node ", " differs from its digest; requesting it again"};
        case Kind::deltas_refused:
            return {2, "node ", " published joins or leaves that no node may publish; requesting its table again"};
        case Kind::table_refused:
            return {2, "node ", " has a table that is too large for this node, which hides it until it is smaller"};
        case Kind::channel_silent:
            return {2, "node ", " is connected in part only; nothing arrives"};
        case Kind::channel_restored:
            return {1, "node ", " is connected again"};
        case Kind::overflow:
            return {2, "a queue is full: ", ""};
    }
    return {1, "", ""};
}

/// The name of the event for programs: "node_down" for "node down".
std::string event_of(Kind kind) {
    std::string name(to_string(kind));
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
}

std::string_view field_of(Kind kind) {
    switch (kind) {
        case Kind::worker_up:
        case Kind::worker_resumed:
        case Kind::worker_lost:
        case Kind::worker_down:
        case Kind::overflow:
            return "worker";
        case Kind::dial_refused:
            return "address";
        case Kind::administered:
            return "by";
        default:
            return "node";
    }
}

}  // namespace

LogLine to_line(const cluster::Note& note) {
    const Wording words = wording(note.kind);
    LogLine line{words.severity, event_of(note.kind), std::string(words.before), {}};
    // A wording without a gap for a name is about this node itself.
    if (!words.after.empty() || words.before.ends_with(' ')) {
        line.text += note.node;
        line.fields.emplace(field_of(note.kind), note.node);
    }
    line.text += words.after;
    if (note.text.empty()) return line;
    line.text += ": " + note.text;
    line.fields.emplace("detail", note.text);
    return line;
}

}  // namespace muster::node
