#include "tests/unit/node/client/fake_node.hpp"

#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace muster::client {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kIncarnation = 1700;

/// Below 32768, where the ephemeral ports begin: a retrying client cannot connect to its own port there.
std::uint16_t bind_somewhere(zmq::socket_t& socket) {
    static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 7 % 10000};
    for (int i = 0; i < 500; ++i) {
        const auto port = static_cast<std::uint16_t>(20000 + next++ % 12000);
        try {
            socket.bind("tcp://127.0.0.1:" + std::to_string(port));
            return port;
        } catch (const zmq::error_t&) {
        }
    }
    throw std::runtime_error("no free port");
}

}  // namespace

FakeNode::FakeNode(std::string name, milliseconds ttl) : name_(std::move(name)), ttl_(ttl) {
    socket_ = zmq::socket_t(context_, zmq::socket_type::router);
    socket_.set(zmq::sockopt::linger, 0);
    port_ = bind_somewhere(socket_);
    thread_ = std::thread([this] { run(); });
}

FakeNode::~FakeNode() {
    kill();
}

void FakeNode::kill() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

std::string FakeNode::address() const {
    return "127.0.0.1:" + std::to_string(port_);
}

void FakeNode::break_connections() {
    reopen_ = true;
    while (reopen_) std::this_thread::sleep_for(milliseconds(1));
}

void FakeNode::refuse(ErrorCode code, std::string text) {
    const std::lock_guard lock(mutex_);
    refusal_ = proto::Refuse{code, std::move(text)};
}

void FakeNode::move() {
    const std::lock_guard lock(mutex_);
    move_ = true;
}

bool FakeNode::wait_for(const std::function<bool(const FakeNode&)>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return holds(*this); });
}

void FakeNode::notify(const std::string& data) {
    const std::lock_guard lock(mutex_);
    proto::Notice notice{NotificationKind::created,
                         {"orders", "subscriptions"},
                         {data},
                         {name_, Incarnation{kIncarnation}},
                         "",
                         1,
                         0,
                         {},
                         0};
    stream_.emplace_back(proto::Deliveries{
        {{std::move(notice), std::make_shared<const std::vector<MemberNumber>>(members.begin(), members.end())}}});
}

void FakeNode::push(proto::Body item) {
    const std::lock_guard lock(mutex_);
    stream_.push_back(std::move(item));
}

void FakeNode::open() {
    socket_.close();
    socket_ = zmq::socket_t(context_, zmq::socket_type::router);
    socket_.set(zmq::sockopt::linger, 0);
    // ZeroMQ releases the port in the background.
    for (int i = 0; i < 1000; ++i) {
        try {
            return socket_.bind("tcp://" + address());
        } catch (const zmq::error_t&) {
            std::this_thread::sleep_for(milliseconds(5));
        }
    }
}

void FakeNode::run() {
    auto next_heartbeat = std::chrono::steady_clock::now();
    while (!stopping_) {
        if (reopen_) {
            open();
            reopen_ = false;
        }
        zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
        zmq::poll(&item, 1, milliseconds(5));
        zmq::message_t route;
        zmq::message_t frame;
        while (socket_.recv(route, zmq::recv_flags::dontwait)) {
            if (!socket_.recv(frame)) break;
            auto message = proto::decode({static_cast<const char*>(frame.data()), frame.size()});
            if (message) take(route.to_string(), std::move(*message));
        }
        const std::lock_guard lock(mutex_);
        flush();
        if (std::exchange(move_, false) && !route_.empty()) send(route_, proto::Move{}, 0);
        if (std::chrono::steady_clock::now() < next_heartbeat) continue;
        next_heartbeat = std::chrono::steady_clock::now() + milliseconds(100);
        if (!route_.empty()) send(route_, proto::NodeHeartbeat{}, 0);
    }
    socket_.close();
}

void FakeNode::send(const std::string& route, proto::Body body, std::uint64_t seq) {
    if (silent_) return;
    const auto frame = proto::encode({{"default", name_, kIncarnation, seq}, std::move(body)});
    socket_.send(zmq::buffer(route), zmq::send_flags::sndmore);
    socket_.send(zmq::buffer(frame));
}

void FakeNode::flush() {
    while (!route_.empty() && sent_ < stream_.size() && sent_ < received + 1024) {
        send(route_, stream_[sent_], sent_ + 1);
        ++sent_;
    }
}

void FakeNode::hello(const std::string& route, const proto::Message& message) {
    const auto& hello = std::get<proto::WorkerHello>(message.body);
    if (refusal_) return send(route, *refusal_, 0);
    route_ = route;
    const bool resumed = token_ != 0 && hello.token.value == token_;
    if (resumed) {
        ++resumes;
        received = hello.received;
        sent_ = received;
    } else {
        ++sessions;
        token_ = ++last_token_;
        received = sent_ = last_request_ = 0;
        stream_.clear();
        members.clear();
    }
    const NodeInfo self{{name_, Incarnation{kIncarnation}}, NodeState::alive, address()};
    send(route,
         proto::WorkerWelcome{
             SessionToken{token_}, resumed, 100, static_cast<std::uint64_t>(ttl_.count()), 1000, self, {}, 10'000},
         0);
}

void FakeNode::take(std::string route, proto::Message&& message) {
    const std::lock_guard lock(mutex_);
    if (std::holds_alternative<proto::WorkerHello>(message.body)) {
        hello(route, message);
    } else if (route != route_ || message.header.incarnation != token_) {
        send(route, proto::Refuse{ErrorCode::unknown_session, "say hello"}, 0);
    } else if (const auto* heartbeat = std::get_if<proto::WorkerHeartbeat>(&message.body)) {
        ++heartbeats;
        received = heartbeat->received;
    } else if (std::holds_alternative<proto::WorkerGoodbye>(message.body)) {
        ++goodbyes;
        route_.clear();
        token_ = 0;
    } else {
        requests.push_back(message.body);
        if (answering_ && message.header.seq == last_request_ + 1) {
            ++last_request_;
            answer(message.header, message.body);
        }
    }
    changed_.notify_all();
}

void FakeNode::answer(const proto::Header& header, const proto::Body& request) {
    if (const auto* join = std::get_if<proto::JoinRequest>(&request)) {
        const MemberNumber first{last_member_ + 1};
        for (std::uint64_t i = 0; i < join->count; ++i) members.push_back(++last_member_);
        send(route_, proto::JoinReply{{{first, join->count}}, 0}, header.seq);
    } else if (const auto* again = std::get_if<proto::RejoinRequest>(&request)) {
        proto::JoinReply reply;
        for (const auto& one : again->joins) {
            reply.members.push_back({MemberNumber{last_member_ + 1}, one.count});
            for (std::uint64_t i = 0; i < one.count; ++i) members.push_back(++last_member_);
        }
        send(route_, std::move(reply), header.seq);
    } else if (const auto* leave = std::get_if<proto::LeaveRequest>(&request)) {
        for (const auto number : leave->members) std::erase(members, number.value);
        send(route_, proto::LeaveReply{leave->members}, header.seq);
    } else if (std::holds_alternative<proto::NotifyRequest>(request)) {
        send(route_, proto::NotifyReply{{members.size(), 1, false, 0, {}}}, header.seq);
    } else if (std::holds_alternative<proto::GroupsRequest>(request)) {
        send(route_, proto::GroupsReply{{{{"orders", "subscriptions"}, members.size()}}, true}, header.seq);
    } else if (std::holds_alternative<proto::WatchRequest>(request)) {
        send(route_, proto::DoneReply{}, header.seq);
        stream_.emplace_back(proto::WatchNews{header.seq, {}, true});
    } else {
        send(route_, proto::DoneReply{}, header.seq);
    }
}

}  // namespace muster::client
