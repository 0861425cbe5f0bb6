#include "tests/sim/workload.hpp"

namespace muster::sim {

using namespace cluster;  // NOLINT(google-build-using-namespace): this file makes the core's events

namespace {

constexpr std::uint64_t kHandlers = 4;  // of each node

}  // namespace

Workload::Workload(World& world, Model& model) : world_(world), model_(model), random_(world.random.fork()) {
    const std::vector<std::string> stores = {"orders", "größe", std::string(255, 's')};
    const std::vector<std::string> features = {std::string(kSubscriptions), std::string(kStreams), "x"};
    const std::uint64_t count = random_.between(1, 6);
    for (std::uint64_t i = 0; i < count; ++i) groups_.push_back({random_.pick(stores), random_.pick(features)});
    for (std::size_t i = 0; i < world.profile.workers; ++i) {
        std::vector<std::string> doors;
        for (const auto& host : world.hosts) doors.push_back(host->door());
        workers_.push_back(
            std::make_unique<Worker>(world, model, world.profile.nodes + i, "w" + std::to_string(i), std::move(doors)));
    }
    const auto of_worker = [this](auto judge) {
        return [this, judge](const std::string& name, const Host& host, std::uint64_t token) {
            for (const auto& worker : workers_) {
                if (worker->name() == name) return judge(*worker, host, token);
            }
            return false;
        };
    };
    model_.judge_workers_with(of_worker([](const Worker& worker, const Host& host, std::uint64_t token) {
                                  return worker.was_well(host, token);
                              }),
                              of_worker([](const Worker& worker, const Host& host, std::uint64_t token) {
                                  return worker.is_attached_to(host, token);
                              }));
}

void Workload::start() {
    for (const auto& host : world_.hosts) {
        world_.clock.after(pause_between_calls(), [this, at = host.get()] { host_turn(*at); });
    }
    for (const auto& worker : workers_) {
        if (random_.permille(world_.profile.bounds.backlog_items < 1000 ? 700 : 200))
            worker->set_pace(random_.within(microseconds(100), milliseconds(60)));
        world_.clock.after(random_.within(Duration(0), seconds(1)), [at = worker.get()] { at->start(); });
        world_.clock.after(pause_between_calls(), [this, at = worker.get()] { worker_turn(*at); });
    }
}

void Workload::host_turn(Host& host) {
    if (stopped_) return;
    if (host.running()) call_host(host);
    world_.clock.after(pause_between_calls(), [this, &host] { host_turn(host); });
}

void Workload::worker_turn(Worker& worker) {
    if (stopped_) return;
    if (worker.alive()) call_worker(worker);
    world_.clock.after(pause_between_calls(), [this, &worker] { worker_turn(worker); });
}

void Workload::call_host(Host& host) {
    const std::uint64_t what = random_.below(100);
    if (what < 35) return join_at(host);
    if (what < 60) return leave_at(host);
    if (what < 90) return notify_at(host);
    if (what < 93) return host.call(HandlerGone{HandlerId{random_.between(1, kHandlers)}});
    const auto watches = model_.watches(host);
    if (what < 97 && watches.size() < 4) {
        host.call(LocalWatch{WatchId{++last_watch_}, random_.permille(300) ? Group{} : any_group()});
    } else if (!watches.empty()) {
        host.call(LocalUnwatch{random_.pick(watches)});
    }
}

void Workload::join_at(Host& host) {
    LocalJoin join;
    join.call = model_.next_call();
    join.handler = HandlerId{random_.between(1, kHandlers)};
    join.group = any_group();
    join.count = any_count();
    join.meta = any_meta(join.count);
    join.visible = random_.permille(150);
    join.timeout = random_.within(milliseconds(50), seconds(5));
    if (random_.permille(10)) join.group.feature.clear();
    host.call(std::move(join));
}

void Workload::leave_at(Host& host) {
    LocalLeave leave;
    leave.call = model_.next_call();
    leave.handler = HandlerId{random_.between(1, kHandlers)};
    leave.group = any_group();
    leave.count = any_count();
    const auto held = model_.held_by_handlers(host);
    if (!held.empty() && random_.permille(800)) {
        const auto& [owner, group] = random_.pick(held);
        leave.handler = HandlerId{owner.number};
        leave.group = group;
        if (random_.permille(300)) {
            const auto& numbers = model_.life_of(host)->held.at({owner, group});
            for (const std::uint64_t number : numbers) {
                if (random_.permille(500)) leave.members.emplace_back(number + (random_.permille(50) ? 1 : 0));
            }
        }
    }
    host.call(std::move(leave));
}

void Workload::notify_at(Host& host) {
    LocalNotify notify;
    notify.kind = static_cast<NotificationKind>(random_.between(1, 3));
    notify.group = any_group();
    notify.wait = random_.permille(300);
    notify.timeout = random_.within(milliseconds(20), seconds(5));
    const bool many = world_.profile.bursts && random_.permille(100);
    for (auto left = many ? random_.between(20, 150) : 1; left > 0 && host.running(); --left) {
        notify.call = model_.next_call();
        notify.data = data_of(model_.notices().next_number());
        host.call(notify);
    }
}

void Workload::call_worker(Worker& worker) {
    const std::uint64_t what = random_.below(100);
    if (what < 35) {
        const std::uint64_t count = any_count();
        return worker.join(any_group(), count, any_meta(count), random_.permille(150));
    }
    if (what < 55) {
        const auto groups = worker.groups();
        const bool own = !groups.empty() && random_.permille(850);
        return worker.leave(own ? random_.pick(groups) : any_group(), any_count(), random_.permille(300));
    }
    if (what < 80)
        return worker.notify(static_cast<NotificationKind>(random_.between(1, 3)), any_group(), random_.permille(300));
    if (what < 92) return worker.query(random_.next(), any_group());
    if (what < 97) return worker.watch(random_.permille(300) ? Group{} : any_group());
    worker.unwatch();
}

void Workload::roll_call() {
    for (const auto& host : world_.hosts) {
        for (const Group& group : groups_) {
            if (host->running())
                host->call(LocalNotify{model_.next_call(), NotificationKind::updated, group,
                                       data_of(model_.notices().next_number()), true, seconds(5)});
        }
    }
    for (const auto& worker : workers_) {
        for (const Group& group : groups_) worker->notify(NotificationKind::deleted, group, true);
    }
}

Group Workload::any_group() {
    return random_.pick(groups_);
}

std::uint64_t Workload::any_count() {
    if (world_.profile.big_groups && random_.permille(100)) return random_.between(100, 500);
    return random_.permille(700) ? 1 : random_.between(1, 9);
}

Meta Workload::any_meta(std::uint64_t count) {
    Meta meta;
    if (world_.profile.big_groups && count == 1 && random_.permille(400)) {
        for (char key = 'a'; key < 'a' + 16; ++key) meta.emplace(std::string(1, key), std::string(255, key));
    } else if (random_.permille(300)) {
        meta.emplace("zone", std::to_string(random_.below(3)));
    }
    return meta;
}

Duration Workload::pause_between_calls() {
    return random_.within(Duration(0), world_.profile.work_every * 2);
}

}  // namespace muster::sim
