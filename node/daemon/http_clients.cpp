#include "node/daemon/http_clients.hpp"

#include <sys/socket.h>

#include <algorithm>

namespace muster::daemon {

HttpClients::HttpClients(std::size_t most, Clock::duration request_time)
    : most_(most), request_time_(request_time), thread_([this] { run(); }) {}

HttpClients::~HttpClients() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void HttpClients::began(int socket) {
    const std::lock_guard lock(mutex_);
    clients_[socket] = {++numbers_, Doing::asking, Clock::now() + request_time_};
    if (clients_.size() - leaving_ > most_) make_room();
    if (is_idle_) changed_.notify_one();
}

void HttpClients::arrived(int socket) {
    set(socket, Doing::waiting);
}

void HttpClients::answered(int socket, bool is_stream) {
    set(socket, is_stream ? Doing::following : Doing::taking);
}

void HttpClients::set(int socket, Doing doing) {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(socket);
    if (found != clients_.end() && found->second.doing != Doing::leaving) found->second.doing = doing;
}

void HttpClients::ended(int socket) {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(socket);
    if (found == clients_.end()) return;
    if (found->second.doing == Doing::leaving) --leaving_;
    clients_.erase(found);
}

std::size_t HttpClients::size() const {
    const std::lock_guard lock(mutex_);
    return clients_.size();
}

std::uint64_t HttpClients::displaced() const {
    const std::lock_guard lock(mutex_);
    return displaced_;
}

void HttpClients::make_room() {
    for (const Doing doing : {Doing::asking, Doing::taking}) {
        auto oldest = clients_.end();
        for (auto client = clients_.begin(); client != clients_.end(); ++client)
            if (client->second.doing == doing && client->second.number != numbers_ &&
                (oldest == clients_.end() || client->second.number < oldest->second.number))
                oldest = client;
        if (oldest == clients_.end()) continue;
        disconnect(*oldest);
        ++displaced_;
        return;
    }
}

void HttpClients::disconnect(std::pair<const int, Client>& client) {
    ::shutdown(client.first, SHUT_RDWR);
    client.second.doing = Doing::leaving;
    ++leaving_;
}

void HttpClients::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        const auto now = Clock::now();
        auto next = Clock::time_point::max();
        for (auto& client : clients_) {
            if (client.second.doing != Doing::asking) continue;
            if (client.second.end <= now)
                disconnect(client);
            else
                next = std::min(next, client.second.end);
        }
        is_idle_ = next == Clock::time_point::max();
        if (is_idle_)
            changed_.wait(lock);
        else
            changed_.wait_until(lock, next);  // those that come meanwhile end later
    }
}

}  // namespace muster::daemon
