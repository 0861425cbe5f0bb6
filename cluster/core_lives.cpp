// A change of this node's incarnation while it runs. PROTOCOL.md, "What is known of a node".
#include "cluster/core_impl.hpp"
#include "cluster/membership/publish.hpp"
#include "cluster/membership/seal.hpp"

namespace muster::cluster {

/// Others believe in a later life of this node's name, so this process goes on as one that is later still. To the
/// others that is the end of one life and the start of another: the members of handlers keep their numbers and get new
/// ids, and workers attach again. Before anything was told of this life, only the number changes.
void Core::Impl::adopt_incarnation(Incarnation incarnation) {
    const bool known = ready || replicas.own().applied() != Seq{};
    if (known) end_life();
    recent.begin_life();
    handovers.begin_life();
    replays.begin_life();
    links.begin_life();  // a node may have reported to notifiers before it was ready
    ctx.self.incarnation = incarnation;
    ctx.began_at = ctx.now;
    ctx.proof = proof_of(ctx, peers.self_record({}));
    peers.begin_life();
    replicas.adopt(incarnation);
    visibility.begin_life();
    routes.clear();
    notifier.begin_life();
    ctx.count("incarnations_adopted");
    ctx.emit(IdentityChanged{ctx.self});
    if (known) ctx.note(Note::Kind::new_incarnation, ctx.self.name, std::to_string(incarnation.value));
}

/// Says what a shutdown says. A worker names its members by this life's incarnation, so its session ends with it.
void Core::Impl::end_life() {
    sessions.end_all("this node takes a higher incarnation, because a later life of its name is known: attach again");
    settle();
    replicas.publish(true);
    flush();
    say_goodbye();
    pull_answers.clear();
}

void Core::Impl::say_goodbye() {
    const auto seq = replicas.own().applied().value;
    publish(ctx, proto::Goodbye{}, seq);
    for (const auto& [name, peer] : peers.all())
        if (peer.is_live()) ctx.emit(SendPeer{name, ctx.message(proto::Goodbye{}, seq)});
}

}  // namespace muster::cluster
