// What libzmq does not survive: an ICMP "protocol unreachable" in answer to a connect.
//
// The kernel then reports ENOPROTOOPT, which libzmq takes for a mistake of its own (tcp_connecter.cpp) and aborts the
// process. A router, or a firewall that rejects in this way, could so end every program that dials, nodes with keys
// included. This definition is found before that of the C library. It reports the host as unreachable instead, for
// which libzmq tries again.
#include <dlfcn.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

extern "C" __attribute__((visibility("default"))) int getsockopt(int socket, int level, int option, void* value,
                                                                 socklen_t* size) noexcept {
    using GetSockOpt = int (*)(int, int, int, void*, socklen_t*);
    static const auto of_the_system = reinterpret_cast<GetSockOpt>(::dlsym(RTLD_NEXT, "getsockopt"));
    const int result = of_the_system(socket, level, option, value, size);
    if (result != 0 || level != SOL_SOCKET || option != SO_ERROR || *size != sizeof(int)) return result;
    int error = 0;
    std::memcpy(&error, value, sizeof error);
    if (error != ENOPROTOOPT) return result;
    error = EHOSTUNREACH;
    std::memcpy(value, &error, sizeof error);
    return result;
}
