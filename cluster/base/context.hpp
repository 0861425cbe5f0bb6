// What all parts of a core share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "cluster/action.hpp"
#include "cluster/base/budget.hpp"
#include "cluster/base/counters.hpp"
#include "cluster/base/journal.hpp"
#include "cluster/base/random.hpp"
#include "cluster/durations.hpp"
#include "cluster/options.hpp"

namespace muster::cluster {

/// `now` and `actions` belong to the step under way; the rest is the state of the whole core.
struct Context {
    explicit Context(Options given)
        : options(std::move(given)),
          self(options.self),
          random(options.random_seed),
          journal(options.bounds.journal),
          memory(options.bounds.memory),
          waits(options.bounds.pending_reports),
          session_places(options.bounds.sessions) {}

    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const Options options;
    NodeId self;  // Options::self, or the same name with a higher incarnation: see Core::Impl::adopt_incarnation()
    bool is_serving = false;  // has been ready: this node is not ended because another process has its name
    Instant now{};
    Instant started_at{};        // the first step
    Instant began_at{};          // this life, which another one of this process may have preceded
    Actions* actions = nullptr;  // null between steps
    Random random;
    Counters counters;
    Durations durations;
    Journal journal;
    Budget memory;          // bytes
    Budget waits;           // calls that wait for others
    Budget session_places;  // sessions
    Shares shares;
    SharedShare own_share = std::make_shared<Shares::Share>();  // of this process itself
    std::string proof;                                          // of this life: see membership/seal.hpp
    std::uint64_t stamp = 0;                                    // of the latest message that this node sealed
    // Of the streams of all sessions: see Session.
    std::size_t backlog_items = 0;
    std::size_t backlog_bytes = 0;

    template <class A>
    void emit(A action) {
        actions->emplace_back(std::move(action));
    }
    void note(Note::Kind kind, std::string node, std::string text) {
        emit(Note{kind, std::move(node), std::move(text)});
    }
    /// Adds to a counter. `name` must be a string literal.
    template <std::size_t N>
    void count(const char (&name)[N], std::uint64_t n = 1) {
        counters.add(name, n);
    }
    /// A message with this node's header. `seq` is the position of its log, where the message has one.
    [[nodiscard]] proto::Message message(proto::Body body, std::uint64_t seq = 0) const {
        return {{options.scope, self.name, self.incarnation.value, seq}, std::move(body)};
    }
};

}  // namespace muster::cluster
