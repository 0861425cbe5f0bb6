#include "node/daemon/http_server.hpp"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <string_view>
#include <utility>

#include "node/daemon/http_clients.hpp"
#include "node/daemon/slot.hpp"
#include "node/io/address.hpp"
#include "node/io/name_service.hpp"
#include "node/io/shortage.hpp"
#include "node/io/signals_blocked.hpp"
#include "node/io/socket_address.hpp"

namespace muster::daemon {
namespace {

constexpr unsigned kLeaving = 512;  // connections beyond the limit, while those that make room for them end

int socket_of(MHD_Connection* connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

std::string value_of(MHD_Connection* connection, MHD_ValueKind kind, std::string_view name) {
    const char* value = nullptr;
    std::size_t size = 0;
    if (MHD_lookup_connection_value_n(connection, kind, name.data(), name.size(), &value, &size) != MHD_YES || !value)
        return {};
    return {value, size};
}

/// What is sent of a stream.
struct Stream {
    std::function<std::optional<std::string>()> next;
    std::string part;
    std::size_t sent = 0;  // of the part

    ssize_t read(char* to, std::size_t size) {
        if (sent == part.size()) {
            const auto got = next();
            if (!got) return MHD_CONTENT_READER_END_OF_STREAM;
            part = *got;
            sent = 0;
        }
        const std::size_t some = part.copy(to, size, sent);
        sent += some;
        return static_cast<ssize_t>(some);
    }
};

ssize_t read_stream(void* of, std::uint64_t, char* to, std::size_t size) noexcept {
    auto& stream = *static_cast<Stream*>(of);
    try {
        return stream.read(to, size);
    } catch (const std::exception&) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
}

void delete_stream(void* of) noexcept {
    delete static_cast<Stream*>(of);
}

/// How long the kernel waits while there is something that the client has not taken. libmicrohttpd has no timeout of
/// its own here: it counts the time that a handler takes as silence of the client, and version 1.0 cannot be told not
/// to.
void bound_sending(int socket, std::chrono::milliseconds silence) {
    const auto most = static_cast<unsigned>(silence.count());
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &most, sizeof most);
}

MHD_Result queue(MHD_Connection* connection, Response&& response) {
    constexpr std::size_t kPart = 8U << 10U;
    MHD_Response* queued =
        response.stream
            ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kPart, read_stream,
                                                new Stream{std::move(response.stream), {}, 0}, delete_stream)
            : MHD_create_response_from_buffer(response.content.size(), response.content.data(), MHD_RESPMEM_MUST_COPY);
    if (!queued) return MHD_NO;
    for (const auto& [name, value] : response.headers) MHD_add_response_header(queued, name.c_str(), value.c_str());
    MHD_add_response_header(queued, MHD_HTTP_HEADER_CONNECTION, "close");
    const auto result = MHD_queue_response(connection, static_cast<unsigned>(response.status), queued);
    MHD_destroy_response(queued);
    return result;
}

Error cannot_serve(const std::string& address, int error) {
    const std::string what = "cannot serve HTTP on " + address;
    if (node::is_shortage(error)) return node::shortage_error(what, error);
    if (error == EADDRNOTAVAIL)
        return {ErrorCode::unreachable, what + ": this host has no such address now: wait for it, or change --http"};
    const auto reason = what + ": " + std::generic_category().message(error) + ": choose ";
    if (error == EACCES) return {ErrorCode::bad_request, reason + "a port above 1023 for --http"};
    return {ErrorCode::unreachable, reason + "another --http or stop what uses it"};
}

/// A socket that listens there; -1, with errno, if there is none. Without sharing the port: no SO_REUSEPORT.
int listen_on(const node::Address& address, HttpServer::Reach reach) {
    int error = EADDRNOTAVAIL;
    for (const auto& host : node::resolve_within(address.host, std::chrono::seconds(5))) {
        const auto numeric = node::socket_address({host, address.port});
        if (!numeric || (reach == HttpServer::Reach::loopback && !node::is_loopback(host))) continue;
        const int tried = ::socket(numeric->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (tried < 0) {
            error = errno;
            continue;
        }
        const int yes = 1;
        const int no = 0;
        ::setsockopt(tried, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        // "::" means IPv4, too, as for the ports of the node, whatever net.ipv6.bindv6only says.
        if (numeric->family() == AF_INET6) ::setsockopt(tried, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
        if (::bind(tried, numeric->get(), numeric->size) == 0 && ::listen(tried, SOMAXCONN) == 0) return tried;
        error = errno;
        ::close(tried);
    }
    errno = error;
    return -1;
}

}  // namespace

std::string Request::header(const char* name) const {
    return value_of(connection_, MHD_HEADER_KIND, name);
}

std::string Request::parameter(const char* name) const {
    return value_of(connection_, MHD_GET_ARGUMENT_KIND, name);
}

void Response::set(std::string text, std::string type) {
    content = std::move(text);
    headers[MHD_HTTP_HEADER_CONTENT_TYPE] = std::move(type);
}

struct HttpServer::Impl {
    struct Entry {
        Handler handler;
        Cost cost = Cost::some;
    };
    std::map<std::string, Entry, std::less<>> handlers;  // by path
    Limits limits;
    std::optional<HttpClients> clients;
    std::atomic<std::size_t> running = 0;  // handlers
    std::atomic<std::uint64_t> refused = 0;
    std::string address;
    int socket = -1;  // until it belongs to `daemon`
    MHD_Daemon* daemon = nullptr;

    Response answer(MHD_Connection* connection, std::string_view method, const char* path) {
        Response response;
        const auto found = handlers.find(path);
        const bool reads = method == MHD_HTTP_METHOD_GET || method == MHD_HTTP_METHOD_HEAD;
        if (!reads || found == handlers.end()) {
            response.status = reads ? MHD_HTTP_NOT_FOUND : MHD_HTTP_METHOD_NOT_ALLOWED;
            if (!reads) response.headers[MHD_HTTP_HEADER_ALLOW] = "GET, HEAD";
            return response;
        }
        const auto& [handler, cost] = found->second;
        const Slot slot(running, limits.handlers);
        if (!slot && cost != Cost::none) {
            ++refused;
            response.status = MHD_HTTP_SERVICE_UNAVAILABLE;
            response.set("too many requests at the same time: try again\n", "text/plain");
            return response;
        }
        try {
            handler(Request(connection), response);
        } catch (const std::exception&) {
            response = {};
            response.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        }
        return response;
    }

    static MHD_Result handle(void* of, MHD_Connection* connection, const char* path, const char* method, const char*,
                             const char*, std::size_t*, void**) noexcept {
        auto& impl = *static_cast<Impl*>(of);
        const int client = socket_of(connection);
        impl.clients->arrived(client);
        try {
            auto response = impl.answer(connection, method, path);
            // libmicrohttpd would send the end of a stream, which belongs to the content.
            if (std::string_view(method) == MHD_HTTP_METHOD_HEAD) response.stream = nullptr;
            impl.clients->answered(client, response.stream != nullptr);
            return queue(connection, std::move(response));
        } catch (const std::exception&) {
            return MHD_NO;
        }
    }

    static void notice(void* of, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode what) noexcept {
        auto& impl = *static_cast<Impl*>(of);
        const int socket = socket_of(connection);
        if (what != MHD_CONNECTION_NOTIFY_STARTED) return impl.clients->ended(socket);
        bound_sending(socket, impl.limits.silence);
        impl.clients->began(socket);
    }
};

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

HttpServer::HttpServer(HttpServer&&) noexcept = default;
HttpServer& HttpServer::operator=(HttpServer&&) noexcept = default;

HttpServer::~HttpServer() {
    if (impl_) stop();
}

void HttpServer::get(std::string path, Handler handler, Cost cost) {
    impl_->handlers.emplace(std::move(path), Impl::Entry{std::move(handler), cost});
}

Result<Done> HttpServer::bind(const std::string& address, Reach reach) {
    const auto parsed = node::parse_address(address);
    if (!parsed) return parsed.error();
    impl_->address = address;
    impl_->socket = listen_on(*parsed, reach);
    if (impl_->socket < 0) return cannot_serve(address, errno);
    return Done{};
}

Result<Done> HttpServer::start(const Limits& limits) {
    const node::SignalsBlocked blocked;
    impl_->limits = limits;
    impl_->clients.emplace(limits.connections, limits.request_time);
    errno = 0;
    impl_->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, nullptr,
        nullptr, &Impl::handle, impl_.get(), MHD_OPTION_LISTEN_SOCKET, impl_->socket, MHD_OPTION_CONNECTION_LIMIT,
        static_cast<unsigned>(limits.connections) + kLeaving, MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.request_bytes,
        MHD_OPTION_NOTIFY_CONNECTION, &Impl::notice, impl_.get(), MHD_OPTION_END);
    if (!impl_->daemon) return cannot_serve(impl_->address, errno);
    impl_->socket = -1;
    return Done{};
}

void HttpServer::stop() {
    if (impl_->daemon) MHD_stop_daemon(std::exchange(impl_->daemon, nullptr));
    if (impl_->socket >= 0) ::close(std::exchange(impl_->socket, -1));
    impl_->clients.reset();
}

HttpServer::Counts HttpServer::counts() const {
    if (!impl_->clients) return {};
    return {impl_->clients->size(), impl_->clients->displaced(), impl_->refused};
}

std::uint16_t HttpServer::port() const {
    const MHD_DaemonInfo* info = MHD_get_daemon_info(impl_->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : std::uint16_t{0};
}

}  // namespace muster::daemon
