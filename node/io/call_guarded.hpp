// Calls of user handlers.
#pragma once

#include <muster/log_line.hpp>
#include <muster/types.hpp>

#include <exception>
#include <string>
#include <string_view>

namespace muster::node {

/// Calls a user's handler. If it throws, calls `threw` with what it threw, as a text. The exception goes no further, so
/// it ends neither the process nor the calls of other handlers. Any thread.
template <class Call, class Threw>
void call_guarded(const Call& call, const Threw& threw) {
    try {
        call();
    } catch (const std::exception& error) {
        threw(std::string_view(error.what()));
    } catch (...) {
        threw(std::string_view("something that is not a std::exception"));
    }
}

/// `whose`: "the handler of orders/streams".
inline LogLine threw_line(const std::string& whose, std::string_view what) {
    return {3, "handler_threw", whose + " threw: " + std::string(what), {{"detail", std::string(what)}}};
}

inline std::string handler_of(const Group& group) {
    return group.store.empty() ? "the watch of all groups" : "the handler of " + group.store + "/" + group.feature;
}

}  // namespace muster::node
