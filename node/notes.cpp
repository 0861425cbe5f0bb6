#include "node/notes.hpp"

#include <string_view>

#include "proto/utf8.hpp"

namespace muster::node {
namespace {

using Kind = cluster::Note::Kind;

constexpr auto kWindow = std::chrono::seconds(10);

struct Wording {
    int severity;
    std::string_view before;  // the name
    std::string_view after;
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
            return {2, "other nodes believed this node down, and were told otherwise", ""};
        case Kind::name_taken:
            return {2, "this node's name is in use; waiting whether its owner is alive", ""};
        case Kind::dial_refused:
            return {2, "", " refused this node"};
        case Kind::worker_up:
            return {1, "worker ", " is attached"};
        case Kind::worker_resumed:
            return {1, "worker ", " is back"};
        case Kind::worker_lost:
            return {1, "worker ", " lost its connection"};
        case Kind::worker_down:
            return {1, "worker ", " is gone"};
        case Kind::snapshot_taken:
            return {0, "took the table of node ", ""};
        case Kind::digest_mismatch:
            return {2, "the table of node ", " differed from its digest; taking it anew"};
        case Kind::overflow:
            return {2, "a queue is full: ", ""};
    }
    return {1, "", ""};
}

}  // namespace

LogLine to_line(const cluster::Note& note) {
    const Wording words = wording(note.kind);
    std::string text(words.before);
    // Those without a place for a name speak of this node itself.
    if (!words.after.empty() || words.before.ends_with(' ')) text += note.node;
    text += words.after;
    if (!note.text.empty()) text += ": " + note.text;
    // The other side's words must not make lines of their own.
    return {words.severity, printable(text)};
}

std::optional<LogLine> NoteLimiter::take(const cluster::Note& note, cluster::Instant now) {
    Window& window = windows_[static_cast<std::size_t>(note.kind)];
    if (now - window.start >= kWindow) {
        window.start = now;
        window.lines = 0;
    }
    if (++window.lines > kBurst) {
        ++window.held_back;
        return std::nullopt;
    }
    LogLine line = to_line(note);
    if (window.held_back != 0) line.text += " (and " + std::to_string(window.held_back) + " more like it)";
    window.held_back = 0;
    return line;
}

}  // namespace muster::node
