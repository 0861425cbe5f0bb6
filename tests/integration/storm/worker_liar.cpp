#include "proto/bundle.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "tests/integration/storm/dealer.hpp"
#include "tests/integration/storm/draws.hpp"
#include "tests/integration/storm/liars.hpp"

namespace muster::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWelcome{2000};
constexpr std::uint64_t kDay = 86'400'000;

/// One session: as long as it is let in, and likes.
class Session {
public:
    Session(zmq::context_t& context, const Target& target, const Pass* pass, bool is_observer, Draws& draws)
        : target_(target),
          draws_(draws),
          is_observer_(is_observer),
          has_key_(pass != nullptr),
          name_(draws.one_in(8) ? std::string("served-0") : "liar-" + std::to_string(draws.below(20))),
          reads_(draws.one_in(2)),
          dealer_(context, target.doors.front(), pass, reads_) {}

    void live() {
        if (!greet()) return;
        for (std::uint64_t left = 1 + draws_.below(40); left > 0 && !target_.is_over(); --left)
            if (!act()) return;
        if (draws_.one_in(3)) dealer_.say(frame(0, proto::WorkerGoodbye{}));
    }

private:
    std::string frame(std::uint64_t seq, proto::Body body) {
        return proto::encode(proto::Message{{"default", name_, token_, seq}, std::move(body)});
    }
    bool greet() {
        const SessionToken guessed{draws_.one_in(10) ? draws_.any() : 0};
        if (!dealer_.say(frame(0, proto::WorkerHello{guessed, 0}))) return false;
        while (const auto heard = dealer_.hear(kWelcome)) {
            const auto decoded = proto::decode(*heard);
            if (!decoded || std::holds_alternative<proto::Refuse>(decoded->body)) return false;
            if (const auto* welcome = std::get_if<proto::WorkerWelcome>(&decoded->body)) {
                token_ = welcome->token.value;
                return true;
            }
        }
        return false;
    }

    Group group() {
        Group group = draws_.group();
        if (is_observer_ && !draws_.one_in(4)) group.store = kLookedAt;
        return group;
    }
    proto::Body administration() {
        const std::string node = "n" + std::to_string(1 + draws_.below(4));
        // Without keys, everybody on the node's host may move workers. A worker that moves has two memberships for a
        // moment, and the judge knows only one.
        const bool moves = has_key_ && draws_.one_in(2);
        const auto which = draws_.below(3);
        if (!moves) return which == 0 ? proto::Body(proto::ForgetRequest{node}) : proto::NodesRequest{};
        if (which == 0) return proto::DrainRequest{draws_.one_in(2)};
        if (which == 1) return proto::MoveRequest{draws_.of_any_size(100), node + "@127.0.0.1:7100"};
        return proto::NodesRequest{};
    }
    proto::Body request() {
        switch (draws_.below(11)) {
            case 0:
            case 1:
                return proto::JoinRequest{is_observer_ ? Group{kLookedAt, "x"} : group(), draws_.of_any_size(65'536),
                                          draws_.meta(), draws_.one_in(8), draws_.of_any_size(kDay)};
            case 2:
                return proto::LeaveRequest{group(), {}, draws_.of_any_size(65'536)};
            case 3:
                return proto::MembersRequest{group(), draws_.one_in(4)};
            case 4:
                return proto::GroupsRequest{};
            case 5:
                return proto::StatusRequest{};
            case 6:
                return proto::WatchRequest{draws_.one_in(3) ? Group{} : group()};
            case 7:
                return proto::UnwatchRequest{draws_.below(10)};
            case 8:
                return administration();
            default:
                return proto::NotifyRequest{NotificationKind::updated, group(), draws_.data(), draws_.one_in(2),
                                            draws_.of_any_size(kDay)};
        }
    }

    bool act() {
        if (draws_.one_in(60)) return join_small_groups();
        if (draws_.one_in(20)) return say_on_lines();
        const std::string asked = frame(++requests_, request());
        const std::uint64_t times = draws_.one_in(5) ? draws_.of_any_size(300) : 1;
        const bool repeats = draws_.one_in(4);  // the same number, which has the same answer
        for (std::uint64_t i = 0; i < times; ++i)
            if (!dealer_.say(repeats || i == 0 ? asked : frame(++requests_, request()))) return false;
        if (draws_.one_in(30) && !dealer_.say(draws_.spoilt(asked))) return false;
        if (draws_.one_in(3) &&
            !dealer_.say(frame(0, proto::WorkerHeartbeat{draws_.one_in(10) ? draws_.any() : draws_.below(1000)})))
            return false;
        // A stream may never pause.
        for (int i = 0; reads_ && i < 1000 && dealer_.hear(milliseconds(1)); ++i) {
        }
        return true;
    }
    bool join_small_groups() {
        const std::string store = is_observer_ ? kLookedAt : "small-" + std::to_string(draws_.below(1000));
        for (std::uint64_t i = draws_.of_any_size(30'000); i > 0 && !target_.is_over(); --i)
            if (!dealer_.say(frame(++requests_, proto::JoinRequest{{store, std::to_string(i)}, 1, {}, false, 0})))
                return false;
        return true;
    }

    /// Many messages in one frame, most of them on lines that have no session, or that begin one.
    bool say_on_lines() {
        proto::BundleEncoder bundle;
        const bool greets = draws_.one_in(4);
        for (std::uint64_t left = 1 + draws_.below(limits::kBundle); left > 0 && !bundle.is_full(); --left) {
            const proto::Header header{"default", name_, greets ? 0 : token_, greets ? 0 : ++requests_};
            bundle.add(draws_.of_any_size(limits::kLines - 1),
                       {header, greets ? proto::Body(proto::WorkerHello{}) : request()});
        }
        std::string frame;
        bundle.finish(frame);
        return dealer_.say(draws_.one_in(20) ? draws_.spoilt(frame) : frame);
    }

    const Target& target_;
    Draws& draws_;
    bool is_observer_;
    bool has_key_;
    std::string name_;
    bool reads_;
    Dealer dealer_;
    std::uint64_t token_ = 0;
    std::uint64_t requests_ = 0;
};

}  // namespace

void lie_as_worker(const Target& target, const keys::KeyPair* own, bool is_observer, std::uint64_t seed) {
    zmq::context_t context;
    Draws draws(seed);
    std::optional<Pass> pass;
    if (own != nullptr) pass.emplace(Pass{*own, target.nodes.front()->public_key()});
    while (!target.is_over()) {
        Session(context, target, pass ? &*pass : nullptr, is_observer, draws).live();
        for (std::uint64_t dropped = draws.one_in(4) ? draws.below(50) : 0; dropped > 0; --dropped) {
            Dealer visitor(context, target.doors.front(), pass ? &*pass : nullptr);
            visitor.say(proto::encode({{"default", "visitor", 0, 0}, proto::WorkerHello{}}));
            if (draws.one_in(2)) visitor.hear(milliseconds(20));
        }
    }
}

}  // namespace muster::test
