// Errors as values. muster's calls do not throw.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace muster {

enum class ErrorCode : unsigned char {
    bad_request = 1,       // the call itself is wrong (empty name, too large, ...)
    not_joined = 2,        // leave of members that do not exist
    not_ready = 3,         // the node has not synced yet
    overloaded = 4,        // a bounded queue is full
    unreachable = 5,       // no node of the list answers
    timeout = 6,           // the timeout expired
    refused = 7,           // the node refuses this peer or worker (scope, version, limits)
    name_taken = 8,        // a live node or worker has this name
    wrong_scope = 9,       // the other side belongs to another scope
    wrong_version = 10,    // the other side speaks another major version
    unknown_session = 11,  // the session has ended; a worker starts a new one
    closed = 12,           // this node or worker has been closed
};

/// The enumerator's name, as in logs and the command line.
std::string_view to_string(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::bad_request;
    std::string text;  // one line: what is wrong and what to do

    bool operator==(const Error&) const = default;
};

/// A value or an error: an `Error` with a text for people, unless `E` names another type.
template <class T, class E = Error>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
    Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    // By value for a temporary, so that `for (auto& m : *tracker.members(group))` is safe.
    [[nodiscard]] T value() && { return std::get<0>(std::move(state_)); }
    const T& operator*() const& { return value(); }
    T& operator*() & { return value(); }
    T operator*() && { return std::get<0>(std::move(state_)); }
    const T* operator->() const { return &std::get<0>(state_); }
    T* operator->() { return &std::get<0>(state_); }
    [[nodiscard]] const E& error() const { return std::get<1>(state_); }

private:
    std::variant<T, E> state_;
};

/// Success without a value.
struct Done {
    bool operator==(const Done&) const = default;
};

}  // namespace muster
