// What the HTTP server answers, and what it lets a client take.
#include "node/daemon/http_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <future>
#include <stdexcept>
#include <thread>

namespace muster::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kPatience = seconds(60);  // for what a loaded machine may delay

class Client {
public:
    explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
            throw std::runtime_error("cannot connect");
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    bool send(const std::string& text) const { return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) > 0; }
    void get(const std::string& path, const std::string& headers = "") const {
        send("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
    }
    /// Until `wanted` has come, or the server has ended the connection.
    std::string read_until(const std::string& wanted) {
        std::array<char, 4096> buffer{};
        pollfd item{socket_, POLLIN, 0};
        while (text_.find(wanted) == std::string::npos) {
            if (::poll(&item, 1, static_cast<int>(milliseconds(kPatience).count())) <= 0) return "nothing in time";
            const auto size = ::recv(socket_, buffer.data(), buffer.size(), 0);
            if (size <= 0) break;
            text_.append(buffer.data(), static_cast<std::size_t>(size));
        }
        return text_;
    }
    std::string read_all() { return read_until("text that no answer has"); }
    int status() {
        const auto answer = read_all();
        return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
    }
    std::string body() {
        const auto answer = read_all();
        const auto at = answer.find("\r\n\r\n");
        return at == std::string::npos ? "no answer" : answer.substr(at + 4);
    }

private:
    int socket_;
    std::string text_;
};

struct HttpServerTest : testing::Test {
    HttpServer server;
    HttpServer::Limits limits;

    void start() {
        server.get("/", [](const Request&, Response& response) { response.set("hello\n", "text/plain"); });
        ASSERT_TRUE(server.bind("127.0.0.1:0", HttpServer::Reach::loopback));
        const auto started = server.start(limits);
        ASSERT_TRUE(started) << started.error().text;
    }
    int status_of(const std::string& path, const std::string& headers = "") const {
        Client client(server.port());
        client.get(path, headers);
        return client.status();
    }
    /// Whether the server has as many connections in the end.
    bool reaches(std::uint64_t connections) const {
        const auto until = std::chrono::steady_clock::now() + kPatience;
        while (server.counts().open != connections) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::sleep_for(milliseconds(10));
        }
        return true;
    }
};

TEST_F(HttpServerTest, AnswersWithHeadersAndContent) {
    server.get("/words", [](const Request& request, Response& response) {
        response.headers["X-Seen"] = request.header("x-word");
        response.set(request.parameter("a") + "," + request.parameter("b") + "," + request.parameter("c"), "text/css");
    });
    start();
    Client client(server.port());
    client.get("/words?a=1%202+3&b=%c3%a4&c", "X-Word: one\r\n");
    EXPECT_EQ(client.body(), "1 2 3,\xc3\xa4,");
    const auto answer = client.read_all();
    EXPECT_NE(answer.find("HTTP/1.1 200 "), std::string::npos) << answer;
    EXPECT_NE(answer.find("X-Seen: one\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("Content-Type: text/css\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, AnswersNothingElse) {
    start();
    for (const char* path : {"/nothing", "/../", "//", "/%2e%2e/"}) EXPECT_EQ(status_of(path), 404) << path;
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
        Client client(server.port());
        client.send(std::string(method) + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        EXPECT_EQ(client.status(), 405) << method;
    }
    Client client(server.port());
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.body(), "");
}

TEST_F(HttpServerTest, AnswersWhatAHandlerThrowsWith500) {
    server.get("/throws", [](const Request&, Response&) { throw std::runtime_error("as planned"); });
    start();
    EXPECT_EQ(status_of("/throws"), 500);
    EXPECT_EQ(status_of("/"), 200);
}

TEST_F(HttpServerTest, ReportsThatAnAddressCannotBeBound) {
    start();
    HttpServer second;
    const auto address = "127.0.0.1:" + std::to_string(server.port());
    const auto bound = second.bind(address, HttpServer::Reach::all);
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.error().code, ErrorCode::unreachable);
    EXPECT_EQ(bound.error().text, "cannot serve HTTP on " + address +
                                      ": Address already in use: choose another --http or stop what uses it");
    EXPECT_FALSE(HttpServer().bind("no address", HttpServer::Reach::all));
    const auto far = HttpServer().bind("0.0.0.0:0", HttpServer::Reach::loopback);
    ASSERT_FALSE(far) << "without keys, HTTP is for this host only";
    EXPECT_EQ(far.error().code, ErrorCode::unreachable);
}

TEST_F(HttpServerTest, RefusesARequestThatIsTooLong) {
    start();
    EXPECT_EQ(status_of("/", "A: " + std::string(limits.request_bytes / 2, 'x') + "\r\n"), 200);
    EXPECT_NE(status_of("/", "A: " + std::string(limits.request_bytes * 2, 'x') + "\r\n"), 200);
    EXPECT_NE(status_of("/" + std::string(limits.request_bytes * 2, 'x')), 200);
}

TEST_F(HttpServerTest, AnswersHeadLikeGetWithoutTheContent) {
    std::atomic<int> parts = 0;
    server.get("/stream", [&](const Request&, Response& response) {
        response.stream = [&]() -> std::optional<std::string> {
            return ++parts < 3 ? "part" : std::optional<std::string>();
        };
    });
    start();
    for (const char* path : {"/", "/stream"}) {
        Client client(server.port());
        client.send(std::string("HEAD ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_EQ(client.status(), 200);
        EXPECT_EQ(client.body(), "");
    }
    EXPECT_EQ(parts, 0);
    Client client(server.port());
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(client.read_all().find("Content-Length: 6\r\n"), std::string::npos);
}

TEST_F(HttpServerTest, AnswersWithTheWholeWhateverRangeIsAsked) {
    start();
    std::string ranges = "Range: bytes=0-";
    for (int i = 0; i < 2700; ++i) ranges += ",0-";
    Client client(server.port());
    client.get("/", ranges + "\r\n");
    EXPECT_EQ(client.status(), 200);
    EXPECT_EQ(client.body(), "hello\n");
}

TEST_F(HttpServerTest, DisconnectsAClientThatIsTooSlow) {
    limits.request_time = milliseconds(500);
    start();
    const Client slow(server.port());
    const auto begin = std::chrono::steady_clock::now();
    while (slow.send("x") && std::chrono::steady_clock::now() < begin + kPatience)
        std::this_thread::sleep_for(milliseconds(20));
    EXPECT_LT(std::chrono::steady_clock::now(), begin + kPatience);
    EXPECT_TRUE(reaches(0));
}

TEST_F(HttpServerTest, DisconnectsAClientThatIsSilent) {
    limits.request_time = milliseconds(500);
    start();
    const Client silent(server.port());
    silent.send("GET /");
    EXPECT_TRUE(reaches(1));
    EXPECT_TRUE(reaches(0));
}

TEST_F(HttpServerTest, DisconnectsAClientThatTakesNoAnswer) {
    limits.silence = seconds(1);
    server.get("/large", [](const Request&, Response& response) { response.content.assign(64U << 20U, 'x'); });
    start();
    const Client idle(server.port());
    idle.get("/large");
    EXPECT_TRUE(reaches(1));
    EXPECT_TRUE(reaches(0));
}

TEST_F(HttpServerTest, MakesRoomForNewClients) {
    limits.connections = 4;
    limits.request_time = limits.silence = seconds(3600);
    server.get("/large", [](const Request&, Response& response) { response.content.assign(64U << 20U, 'x'); });
    start();
    std::deque<Client> taking;
    for (std::size_t i = 0; i < limits.connections; ++i) {
        taking.emplace_back(server.port()).get("/large");
        taking.back().read_until("xxxx");
    }
    EXPECT_EQ(status_of("/"), 200);
    std::deque<Client> silent;
    for (std::size_t i = 0; i < 3 * limits.connections; ++i) silent.emplace_back(server.port()).send("GET /");
    EXPECT_EQ(status_of("/"), 200);
    EXPECT_GE(server.counts().displaced, 3 * limits.connections);
    EXPECT_EQ(silent.front().read_all(), "") << "the oldest goes first";
}

TEST_F(HttpServerTest, NeitherRunningHandlersNorStreamsMakeRoom) {
    limits.connections = 2;
    std::promise<void> go_on;
    auto released = go_on.get_future().share();
    std::atomic<bool> is_running = false;
    server.get("/slow", [&is_running, released](const Request&, Response& response) {
        is_running = true;
        released.wait();
        response.set("slow\n", "text/plain");
    });
    server.get("/stream", [released](const Request&, Response& response) {
        response.stream = [released, parts = 0]() mutable -> std::optional<std::string> {
            if (parts == 1) released.wait();
            return ++parts > 2 ? std::optional<std::string>() : "more\n";
        };
    });
    start();
    Client slow(server.port());
    slow.get("/slow");
    while (!is_running) std::this_thread::sleep_for(milliseconds(1));  // a request that is not read yet makes room
    Client stream(server.port());
    stream.get("/stream");
    stream.read_until("more");
    for (int i = 0; i < 20; ++i) EXPECT_EQ(status_of("/"), 200);
    go_on.set_value();
    EXPECT_EQ(slow.body(), "slow\n");
    EXPECT_EQ(stream.status(), 200);
}

TEST_F(HttpServerTest, BoundsTheHandlersThatRunAndAnswersWhatCostsNothing) {
    limits.handlers = 2;
    std::promise<void> go_on;
    auto released = go_on.get_future().share();
    std::atomic<std::size_t> running = 0;
    server.get("/slow", [&running, released](const Request&, Response&) {
        ++running;
        released.wait();
    });
    server.get(
        "/healthz", [](const Request&, Response&) {}, HttpServer::Cost::none);
    start();
    std::deque<Client> slow;
    for (std::size_t i = 0; i < limits.handlers; ++i) slow.emplace_back(server.port()).get("/slow");
    while (running < limits.handlers) std::this_thread::sleep_for(milliseconds(1));
    EXPECT_EQ(status_of("/slow"), 503);
    EXPECT_EQ(status_of("/"), 503);
    EXPECT_EQ(status_of("/healthz"), 200);
    EXPECT_EQ(server.counts().refused, 2u);
    go_on.set_value();
    for (auto& client : slow) EXPECT_EQ(client.status(), 200);
    EXPECT_EQ(status_of("/"), 200);
}

TEST_F(HttpServerTest, WaitsForASlowHandlerAndASlowStream) {
    limits.silence = seconds(1);
    server.get("/slow", [](const Request&, Response& response) {
        std::this_thread::sleep_for(milliseconds(1500));
        response.stream = [parts = 0]() mutable -> std::optional<std::string> {
            if (parts++ == 2) return std::nullopt;
            std::this_thread::sleep_for(milliseconds(1500));
            return std::string(100'000, 'x');
        };
    });
    start();
    Client client(server.port());
    client.get("/slow");
    const auto body = client.body();
    EXPECT_EQ(std::count(body.begin(), body.end(), 'x'), 200'000);
}

TEST_F(HttpServerTest, EndsStreamsOfClientsThatHaveGoneAndWhenItStops) {
    std::atomic<int> streams = 0;
    server.get("/stream", [&](const Request&, Response& response) {
        ++streams;
        response.stream = [leave = std::shared_ptr<void>(nullptr, [&](void*) { --streams; })] {
            std::this_thread::sleep_for(milliseconds(10));
            return std::optional<std::string>("more\n");
        };
    });
    start();
    Client stays(server.port());
    stays.get("/stream");
    stays.read_until("more");
    {
        Client goes(server.port());
        goes.get("/stream");
        goes.read_until("more");
        EXPECT_EQ(streams, 2);
    }
    for (int i = 0; streams == 2 && i < 6000; ++i) std::this_thread::sleep_for(milliseconds(10));
    EXPECT_EQ(streams, 1);
    server.stop();
    EXPECT_EQ(streams, 0);
}

}  // namespace
}  // namespace muster::daemon
