#include <muster/insight.hpp>
#include <muster/types.hpp>

namespace muster {

const Meta& SharedMeta::none() {
    static const Meta empty;
    return empty;
}

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::bad_request:
            return "bad_request";
        case ErrorCode::not_joined:
            return "not_joined";
        case ErrorCode::not_ready:
            return "not_ready";
        case ErrorCode::overloaded:
            return "overloaded";
        case ErrorCode::unreachable:
            return "unreachable";
        case ErrorCode::timeout:
            return "timeout";
        case ErrorCode::refused:
            return "refused";
        case ErrorCode::name_taken:
            return "name_taken";
        case ErrorCode::wrong_scope:
            return "wrong_scope";
        case ErrorCode::wrong_version:
            return "wrong_version";
        case ErrorCode::unknown_session:
            return "unknown_session";
        case ErrorCode::closed:
            return "closed";
    }
    return "unknown";
}

std::string_view to_string(NotificationKind kind) {
    switch (kind) {
        case NotificationKind::created:
            return "created";
        case NotificationKind::updated:
            return "updated";
        case NotificationKind::deleted:
            return "deleted";
    }
    return "unknown";
}

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::left:
            return "left";
        case Reason::worker_down:
            return "worker_down";
        case Reason::node_down:
            return "node_down";
        case Reason::node_left:
            return "node_left";
        case Reason::moved:
            return "moved";
    }
    return "unknown";
}

std::string_view to_string(MissReason reason) {
    switch (reason) {
        case MissReason::node_down:
            return "node_down";
        case MissReason::worker_down:
            return "worker_down";
        case MissReason::left:
            return "left";
        case MissReason::overflow:
            return "overflow";
        case MissReason::timeout:
            return "timeout";
    }
    return "unknown";
}

std::string_view to_string(OverflowPolicy policy) {
    switch (policy) {
        case OverflowPolicy::drop_oldest:
            return "drop_oldest";
        case OverflowPolicy::refuse_newest:
            return "refuse_newest";
        case OverflowPolicy::disconnect:
            return "disconnect";
    }
    return "unknown";
}

Result<OverflowPolicy> parse_overflow_policy(std::string_view text) {
    for (const auto policy : {OverflowPolicy::drop_oldest, OverflowPolicy::refuse_newest, OverflowPolicy::disconnect})
        if (text == to_string(policy)) return policy;
    return Error{ErrorCode::bad_request,
                 "\"" + std::string(text) + "\" is no overflow policy: write drop_oldest, refuse_newest or disconnect"};
}

std::string_view to_string(NodeState state) {
    switch (state) {
        case NodeState::alive:
            return "alive";
        case NodeState::suspect:
            return "suspect";
        case NodeState::down:
            return "down";
        case NodeState::left:
            return "left";
    }
    return "unknown";
}

std::string_view to_string(WatchEvent::Kind kind) {
    switch (kind) {
        case WatchEvent::Kind::snapshot:
            return "snapshot";
        case WatchEvent::Kind::join:
            return "join";
        case WatchEvent::Kind::leave:
            return "leave";
    }
    return "unknown";
}

std::string_view to_string(Change::Kind kind) {
    switch (kind) {
        case Change::Kind::node_up:
            return "node_up";
        case Change::Kind::node_suspect:
            return "node_suspect";
        case Change::Kind::node_heard:
            return "node_heard";
        case Change::Kind::node_down:
            return "node_down";
        case Change::Kind::node_left:
            return "node_left";
        case Change::Kind::self_accused:
            return "self_accused";
        case Change::Kind::joined:
            return "joined";
        case Change::Kind::left:
            return "left";
        case Change::Kind::table_taken:
            return "table_taken";
        case Change::Kind::table_wrong:
            return "table_wrong";
        case Change::Kind::worker_up:
            return "worker_up";
        case Change::Kind::worker_resumed:
            return "worker_resumed";
        case Change::Kind::worker_lost:
            return "worker_lost";
        case Change::Kind::worker_down:
            return "worker_down";
        case Change::Kind::overflow:
            return "overflow";
    }
    return "unknown";
}

std::string_view security_of(const Status& status) {
    const auto is_set = [&status](const char* name) {
        const auto found = status.counters.find(name);
        return found != status.counters.end() && found->second != 0;
    };
    if (is_set("security_curve")) return "curve";
    return is_set("security_insecure") ? "insecure" : "loopback";
}

}  // namespace muster
