// Calls of user handlers.
#pragma once

#include <muster/log_line.hpp>
#include <muster/types.hpp>

#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include "node/io/forks.hpp"

namespace muster::node {

/// Calls a user's handler. If it throws, calls `threw` with what it threw, as a text. The exception goes no further, so
/// it ends neither the process nor the calls of other handlers. A child that the handler forked ends when it returns:
/// it has no thread that could give this one more work, and locks may be held in it for ever. Any thread.
template <class Call, class Threw>
void call_guarded(const Call& call, const Threw& threw) {
    const unsigned before = forks();
    const auto end_child = [before] {
        if (forks() != before) std::_Exit(0);
    };
    try {
        call();
        end_child();
    } catch (const std::exception& error) {
        end_child();
        threw(std::string_view(error.what()));
    } catch (...) {
        end_child();
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
