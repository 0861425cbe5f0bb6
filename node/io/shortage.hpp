// What to do when the system refuses a descriptor, a thread or memory.
#pragma once

#include <muster/result.hpp>

#include <cstddef>
#include <string>

namespace muster::node {

/// Whether a system call with this error number may succeed later, because the process or the system had no descriptor,
/// thread or memory left.
[[nodiscard]] bool is_shortage(int error);

/// The error number in words, and which limit to raise if it is a shortage: "Too many open files: raise ...".
[[nodiscard]] std::string reason_and_advice(int error);

/// Code overloaded: "`what`: `reason_and_advice(error)`".
[[nodiscard]] Error shortage_error(const std::string& what, int error);

/// 0 if the process can open `count` descriptors now, otherwise the error number. Any thread.
///
/// libzmq ends the process (abort) if it gets no descriptor, or no thread, while it starts a context or binds a port.
/// So callers ask first. Another thread can still take the descriptors in between, so they ask for more than needed.
[[nodiscard]] int why_no_descriptors(std::size_t count);
/// 0 if the process can start `count` threads now, all at the same time, and then take `memory` bytes, otherwise the
/// error number. Any thread.
[[nodiscard]] int why_no_threads(std::size_t count, std::size_t memory = 0);
/// 0 if a zmq::context_t can be started now, otherwise the error number.
[[nodiscard]] int why_no_context();

}  // namespace muster::node
