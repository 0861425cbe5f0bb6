// A worker's session and a node that says anything, in any order. Each byte and what follows it is one step: a message
// (well formed or a raw frame), a call of the user, handlers that return, a connection that breaks, time.
#include "node/client/session.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/check.hpp"
#include "tests/fuzz/dream.hpp"

namespace muster::fuzz {
namespace {

using namespace client;  // NOLINT(google-build-using-namespace)
using std::chrono::milliseconds;

constexpr std::size_t kMostSteps = 200;
constexpr auto kSlowName = "c:3";  // its look-up takes a while

class Play {
public:
    explicit Play(Input& input) : input_(input) {
        words_.nodes = {{"a", Incarnation{1700}}, {"b", Incarnation{1800}}, {"a", Incarnation{1}}};
        words_.addresses = {"a:1", "b:2", "c:3"};
        words_.tokens = {SessionToken{42}, SessionToken{43}, SessionToken{0}};
        const bool keeps = input_.flag();
        const bool goes_on = keeps && input_.flag();
        if (goes_on) kept_ = an_earlier_one();
        session_ = std::make_unique<Session>(
            Session::Options{"w1", "default", {"a:1", "b:2"}, true, 7, keeps, kept_, milliseconds(500)});
        ordinal_ = goes_on ? 1 : 0;
        session_->start(now_);
        perform();
    }

    void run() {
        for (std::size_t i = 0; i < kMostSteps && !input_.empty(); ++i) step();
        close();
    }

private:
    static SavedSession an_earlier_one();
    void step();
    void call();
    void hear(proto::Message message);
    void welcome();
    void answer_request();
    proto::JoinReply join_reply(Dream& dream, std::uint64_t number) const;
    void deliver();
    void pass_time();
    void close();
    void perform();
    void perform(Action& action);
    bool end_quick_look_ups();
    void end_look_up();
    void take(const Item& item);

    Input& input_;
    Words words_;
    Instant now_{milliseconds(1'000'000)};
    std::unique_ptr<Session> session_;
    Actions actions_;
    SavedSession kept_;
    std::vector<std::string> look_ups_;
    bool slow_look_up_ = false;  // that of kSlowName is under way
    bool closed_ = false;
    bool has_old_ = false;  // the connection of a session that the worker leaves is kept

    std::uint64_t last_call_ = 0;
    std::uint64_t last_watch_ = 4;
    std::map<std::uint64_t, Instant> waiting_;  // calls without an answer, and until when
    std::vector<std::uint64_t> requests_{1};    // numbers that were sent
    std::map<std::uint64_t, proto::RejoinRequest> rejoins_;
    std::uint64_t ordinal_ = 0;    // of the session whose items came last
    std::uint64_t handed_ = 0;     // its last item
    std::uint64_t next_item_ = 1;  // for a node that keeps to the rules
};

SavedSession Play::an_earlier_one() {
    SavedSession saved;
    const auto said = [](proto::Body body, std::uint64_t number = 0) {
        return proto::Message{{"default", "w1", 42, number}, std::move(body)};
    };
    const NodeInfo node{{"a", Incarnation{1700}}, NodeState::alive, "a:1"};
    const Group group{"orders", "subscriptions"};
    bool applied = apply(saved, said(proto::WorkerHello{}));
    applied = applied && apply(saved, {{"default", "a", 1700, 0},
                                       proto::WorkerWelcome{SessionToken{42}, false, 0, 0, 0, node, {"a:1"}}});
    applied = applied && apply(saved, said(proto::JoinRequest{group, 2, {}, false, 1000}, 1));
    applied = applied && apply(saved, said(proto::JoinReply{{{MemberNumber{5}, 2}}, 0}, 1));
    applied = applied && apply(saved, said(proto::JoinRequest{group, 1, {}, false, 1000}, 2));
    applied = applied && apply(saved, said(proto::WatchRequest{group}, 3));
    applied = applied && apply(saved, said(proto::LeaveRequest{group, {MemberNumber{6}}, 1}, 4));
    MUSTER_CHECK(applied);
    saved.requests = 10;
    return saved;
}

void Play::hear(proto::Message message) {
    session_->message_arrived(now_, std::move(message));
    perform();
}

void Play::welcome() {
    auto welcome = Dream(input_, words_).one<proto::WorkerWelcome>();
    if (input_.flag()) welcome.heartbeat_ms = 500, welcome.ttl_ms = 2000, welcome.grace_ms = 1000;
    next_item_ = 1;
    hear({{"default", "a", 1700, 0}, std::move(welcome)});
}

/// Of a RejoinRequest, mostly what it asked for: any other reply is ignored.
proto::JoinReply Play::join_reply(Dream& dream, std::uint64_t number) const {
    const auto rejoin = rejoins_.find(number);
    if (rejoin == rejoins_.end()) return dream.one<proto::JoinReply>();
    proto::JoinReply reply;
    for (const auto& join : rejoin->second.joins) {
        reply.members.push_back(dream.one<proto::NumberRun>());
        reply.members.back().count = join.count;
    }
    return reply;
}

/// A reply of any kind to a request that was sent.
void Play::answer_request() {
    Dream dream(input_, words_);
    proto::Message message{{"default", "a", 1700, input_.pick(requests_)}, {}};
    switch (input_.below(8)) {
        case 0:
            message.body = join_reply(dream, message.header.seq);
            break;
        case 1:
            message.body = dream.one<proto::LeaveReply>();
            break;
        case 2:
            message.body = dream.one<proto::MembersReply>();
            break;
        case 3:
            message.body = dream.one<proto::GroupsReply>();
            break;
        case 4:
            message.body = dream.one<proto::NotifyReply>();
            break;
        case 5:
            message.body = dream.one<proto::ErrorReply>();
            break;
        case 6:
            message.body = proto::DoneReply{};
            break;
        default:
            message.body = dream.body();
    }
    hear(std::move(message));
}

/// The next item of the stream, or one near it.
void Play::deliver() {
    Dream dream(input_, words_);
    proto::Message message{{"default", "a", 1700, next_item_}, {}};
    const std::uint8_t kind = input_.byte();
    if (kind % 4 == 0) {
        message.body = proto::Gap{input_.number()};
    } else if (kind % 4 == 1) {
        auto news = dream.one<proto::WatchNews>();
        news.watch = input_.pick(requests_);
        message.body = std::move(news);
    } else {
        message.body = dream.one<proto::Deliveries>();
    }
    if (kind >= 240) message.header.seq += kind - 244u;
    const auto* deliveries = std::get_if<proto::Deliveries>(&message.body);
    next_item_ += deliveries == nullptr ? 1 : deliveries->items.size();
    hear(std::move(message));
}

void Play::call() {
    Dream dream(input_, words_);
    const CallId id{++last_call_};
    const auto until = now_ + milliseconds(1 + 100 * input_.below(20));
    waiting_[id.value] = until;
    const auto handler = std::make_shared<const OnNotification>([](const Notification&) {});
    const auto kind = input_.below(9);
    if (kind == 0) {
        session_->watch(now_, id, until, Watch{++last_watch_}, input_.flag() ? input_.pick(words_.groups) : Group{},
                        std::make_shared<WatchHandler>([](const WatchEvent&) {}));
    } else if (kind <= 3) {
        session_->call(now_, id, until, JoinCall{dream.one<proto::JoinRequest>(), handler});
    } else if (kind <= 5) {
        std::vector<MemberId> members;
        for (std::size_t i = input_.below(3); i > 0; --i) members.push_back(dream.one<MemberId>());
        session_->call(now_, id, until, LeaveCall{input_.pick(words_.groups), members, input_.number(), {}});
    } else if (kind == 6) {
        session_->call(now_, id, until, NotifyCall{dream.one<proto::NotifyRequest>()});
    } else {
        proto::Body query = proto::NodesRequest{};
        if (input_.flag()) query = proto::GroupsRequest{};
        if (input_.flag()) query = dream.one<proto::MembersRequest>();
        if (input_.flag()) query = proto::StatusRequest{};
        session_->call(now_, id, until, QueryCall{std::move(query)});
    }
    perform();
}

void Play::step() {
    switch (input_.below(16)) {
        case 0:
            return welcome();
        case 1:
        case 2:
            return hear(Dream(input_, words_).message());
        case 3: {
            auto decoded = proto::decode(input_.bytes(input_.byte()));
            if (decoded.ok()) return hear(std::move(*decoded));
            session_->undecodable(now_, decoded.error());
            return perform();
        }
        case 4:
        case 5:
            return answer_request();
        case 6:
        case 7:
            return deliver();
        case 8:
            session_->handled(input_.flag() ? ordinal_ : input_.below(3), input_.flag() ? handed_ : input_.number());
            return perform();
        case 9:
            session_->connection_refused(now_, input_.pick(words_.addresses));
            return perform();
        case 10:
            session_->connection_broken(now_);
            return perform();
        case 11:
            session_->unwatch(now_, Watch{last_watch_ - input_.below(4)});
            return perform();
        case 12:
            session_->not_listening(now_);
            return end_look_up();
        case 13:
            return pass_time();
        default:
            return call();
    }
}

/// To the next deadline, or somewhat late; then nothing is due any more, and no call has waited too long.
void Play::pass_time() {
    const auto next = session_->next_deadline();
    if (next != Instant::max()) now_ = std::max(now_, next);
    now_ += milliseconds(input_.below(4) == 0 ? input_.byte() * 20 : 0);
    for (int i = 0; i < 20; ++i) {
        session_->tick(now_);
        perform();
        if (session_->next_deadline() > now_) break;
        MUSTER_CHECK(i < 19);  // it would never sleep again
    }
    for (const auto& [call, until] : waiting_) MUSTER_CHECK(until > now_);
}

void Play::close() {
    session_->close();
    closed_ = true;
    perform();
    MUSTER_CHECK(waiting_.empty() && !has_old_);
    const auto before = last_call_;
    call();
    MUSTER_CHECK(last_call_ == before + 1 && waiting_.empty());
}

void Play::perform() {
    do {
        session_->take_actions(actions_);
        for (auto& action : actions_) perform(action);
        (void)session_->problem();
    } while (end_quick_look_ups());
}

/// All names but one are known at once, and are their own endpoints.
bool Play::end_quick_look_ups() {
    const auto look_ups = std::exchange(look_ups_, {});
    for (const auto& address : look_ups)
        if (address == kSlowName)
            slow_look_up_ = true;
        else
            session_->resolved(now_, address, {address});
    return std::any_of(look_ups.begin(), look_ups.end(), [](const auto& one) { return one != kSlowName; });
}

void Play::end_look_up() {
    if (!std::exchange(slow_look_up_, false)) return;
    std::vector<std::string> endpoints;
    for (auto left = input_.below(4); left > 0; --left) endpoints.push_back(input_.pick(words_.addresses));
    session_->resolved(now_, kSlowName, std::move(endpoints));
    perform();
}

void Play::perform(Action& action) {
    if (const auto* look_up = std::get_if<LookUp>(&action)) {
        look_ups_.push_back(look_up->address);
    } else if (const auto* answer = std::get_if<Answer>(&action)) {
        MUSTER_CHECK(waiting_.erase(answer->call.value) == 1);  // once each
    } else if (const auto* item = std::get_if<Item>(&action)) {
        take(*item);
    } else if (const auto* send = std::get_if<Send>(&action)) {
        const auto& message = send->message;
        if (message.header.seq != 0) requests_.push_back(message.header.seq);
        if (const auto* rejoin = std::get_if<proto::RejoinRequest>(&message.body))
            rejoins_.insert_or_assign(message.header.seq, *rejoin);
        if (kept_.requests != 0) MUSTER_CHECK(message.header.seq <= kept_.requests);
        MUSTER_CHECK(proto::decode(proto::encode(message)).ok());
    } else if (const auto* old = std::get_if<SendOld>(&action)) {
        MUSTER_CHECK(has_old_);
        MUSTER_CHECK(proto::decode(proto::encode(old->message)).ok());
    } else if (std::holds_alternative<KeepOld>(action)) {
        MUSTER_CHECK(!std::exchange(has_old_, true));
    } else if (std::holds_alternative<CloseOld>(action)) {
        MUSTER_CHECK(std::exchange(has_old_, false));
    } else if (const auto* keep = std::get_if<Keep>(&action)) {
        MUSTER_CHECK(apply(kept_, keep->message));
        if (std::holds_alternative<proto::WorkerHello>(keep->message.body)) kept_.requests = 0;
    } else if (const auto* reserve = std::get_if<Reserve>(&action)) {
        kept_.requests = reserve->requests;
    }
}

/// The stream in order, each item once.
void Play::take(const Item& item) {
    if (item.seq == 0) return;
    MUSTER_CHECK(item.session >= ordinal_);
    if (item.session > ordinal_) handed_ = 0;
    ordinal_ = item.session;
    MUSTER_CHECK(item.seq > handed_);
    handed_ = item.seq;
    if (const auto* deliver = std::get_if<Deliver>(&item.what)) MUSTER_CHECK(deliver->targets != nullptr);
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    muster::fuzz::Input input(data, size);
    muster::fuzz::Play(input).run();
    return 0;
}
