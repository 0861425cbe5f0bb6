#include "tests/sim/scenario.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <system_error>

#include "cluster/membership/seal.hpp"
#include "tests/sim/stage.hpp"

namespace muster::sim {
namespace {

using namespace cluster;  // NOLINT(google-build-using-namespace): this file makes the core's events

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
    std::istringstream in(line);
    Words words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

std::uint64_t number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
        throw BadScript("'" + std::string(text) + "' is no number");
    return number;
}

/// "500ms" or "3s".
Duration time_in(const std::string& text) {
    if (text.ends_with("ms")) return milliseconds(number_in(std::string_view(text).substr(0, text.size() - 2)));
    if (text.ends_with("s")) return seconds(number_in(std::string_view(text).substr(0, text.size() - 1)));
    throw BadScript("'" + text + "' is no time: write 500ms or 3s");
}

Group group_in(const std::string& text) {
    const auto colon = text.find(':');
    if (colon == std::string::npos) throw BadScript("'" + text + "' is no group: write store:feature");
    return {text.substr(0, colon), text.substr(colon + 1)};
}

class Player {
public:
    std::string play(const std::string& script) {
        begin();
        std::istringstream in(script);
        std::size_t number = 0;
        for (std::string line; std::getline(in, line);) {
            ++number;
            if (line.starts_with("  ")) continue;  // an old transcript
            out_ += line + "\n";
            if (line.empty() || line.starts_with("#")) continue;
            try {
                command(words_of(line));
            } catch (const Violation& violation) {
                told("VIOLATION: " + std::string(violation.what()));
                return out_;
            } catch (const BadScript& bad) {
                throw BadScript("line " + std::to_string(number) + " (" + line + "): " + bad.what());
            }
        }
        return out_;
    }

private:
    void begin() {
        Profile& profile = cast_.profile;
        profile.nodes = profile.workers = 0;
        profile.network.latency = milliseconds(1);
        profile.network.jitter = profile.lateness = Duration(0);
        profile.check_every = 1;
    }

    void told(const std::string& line) { out_ += "  " + line + "\n"; }

    void command(const Words& words) {
        const std::string& verb = words[0];
        if (verb == "nodes") return nodes(words);
        if (verb == "strangers") return strangers(words);
        if (verb == "worker") return worker_role(words);
        if (verb == "seeds") return seeds(words);
        if (verb == "bound") return bound(words);
        if (verb == "policy") return policy(words);
        if (verb == "retention") return void(cast_.profile.link_retention = time_in(arg(words, 1)));
        if (verb == "window") return void(cast_.profile.handover_window = time_in(arg(words, 1)));
        if (verb == "keys") return void(cast_.profile.keys = 1);
        if (verb == "early-ends") return void(cast_.profile.network.early_end_permille = 1000);
        if (verb == "grace") return void(cast_.profile.session.grace = time_in(arg(words, 1)));
        if (!stage_) stage_.emplace(cast_, [this](const std::string& line) { told(line); });
        if (on_network(words) || on_messages(words) || on_processes(words) || on_groups(words)) return;
        throw BadScript("'" + verb + "' is no command");
    }

    static const std::string& arg(const Words& words, std::size_t i) {
        if (i >= words.size()) throw BadScript("something is missing at the end");
        return words[i];
    }

    // ---- before the first node starts ----

    /// nodes a b late-a:a clone=a outsider@other
    void nodes(const Words& words) {
        Profile& profile = cast_.profile;
        for (std::size_t i = 1; i < words.size(); ++i) {
            const auto colon = words[i].find(':');
            const auto at = words[i].find('@');
            const auto equal = words[i].find('=');
            if (equal != std::string::npos) {
                guests_.emplace_back(words[i].substr(0, equal), Impostor{words[i].substr(equal + 1), kScope, true});
            } else if (colon != std::string::npos) {
                guests_.emplace_back(words[i].substr(0, colon), Impostor{words[i].substr(colon + 1), kScope, false});
            } else if (at != std::string::npos) {
                const auto name = words[i].substr(0, at);
                guests_.emplace_back(name, Impostor{name, words[i].substr(at + 1), false});
            } else {
                cast_.places[words[i]] = profile.nodes++;
                profile.names.push_back(words[i]);
            }
        }
        for (Place i = 0; i < profile.nodes; ++i) {
            profile.seeds.emplace_back();
            for (Place j = 0; j < profile.nodes; ++j) profile.seeds[i].push_back(j);
        }
        place_guests();
    }
    /// strangers s t^b: a second cluster of the same scope, in which t runs on the machine of b
    void strangers(const Words& words) {
        for (std::size_t i = 1; i < words.size(); ++i) {
            const auto on = words[i].find('^');
            const auto name = words[i].substr(0, on);
            const Place place = on == std::string::npos ? 0 : cast_.places.at(words[i].substr(on + 1));
            guests_.emplace_back(name, Impostor{name, kScope, false, true, place});
        }
        place_guests();
    }
    void worker_role(const Words& words) {
        cast_.workers.push_back({arg(words, 1), Words(words.begin() + 3, words.end())});
        if (arg(words, 2) != "at") throw BadScript("write: worker NAME at NODE...");
        for (const auto& door : cast_.workers.back().doors) {
            if (!cast_.places.contains(door)) throw BadScript("there is no node '" + door + "'");
        }
        cast_.profile.workers = cast_.workers.size();
        place_guests();
    }
    /// Places: nodes, then workers, then guests.
    void place_guests() {
        cast_.profile.impostors.clear();
        for (const auto& [label, impostor] : guests_) {
            cast_.places[label] = impostor.place == 0 ? cast_.profile.places() : impostor.place;
            cast_.names[label] = impostor.name;
            cast_.profile.impostors.push_back(impostor);
        }
    }
    void seeds(const Words& words) {
        auto& seeds = cast_.profile.seeds.at(cast_.places.at(arg(words, 1)));
        seeds.clear();
        for (std::size_t i = 2; i < words.size(); ++i) seeds.push_back(cast_.places.at(words[i]));
    }
    /// bound peers 1 [at a]
    void bound(const Words& words) {
        Profile& profile = cast_.profile;
        const bool of_one = words.size() > 3;
        if (of_one && words[3] != "at") throw BadScript("write: bound NAME NUMBER at NODE");
        Bounds& bounds = of_one
                             ? profile.own_bounds.emplace(cast_.places.at(arg(words, 4)), profile.bounds).first->second
                             : profile.bounds;
        const std::map<std::string, std::size_t*> all = {
            {"log_deltas", &bounds.log_deltas},       {"early_deltas", &bounds.early_deltas},
            {"chunk_bytes", &bounds.chunk_bytes},     {"link_items", &bounds.link_items},
            {"backlog_items", &bounds.backlog_items}, {"peers", &bounds.peers}};
        if (!all.contains(arg(words, 1))) throw BadScript("there is no bound '" + words[1] + "'");
        *all.at(words[1]) = number_in(arg(words, 2));
    }

    void policy(const Words& words) {
        const auto policy = parse_overflow_policy(arg(words, 2));
        if (!policy) throw BadScript(policy.error().text);
        const bool of_links = arg(words, 1) == "link";
        if (!of_links && words[1] != "backlog") throw BadScript("a policy is of link or backlog");
        Bounds& bounds = cast_.profile.bounds;
        (of_links ? bounds.link_policy : bounds.backlog_policy) = *policy;
    }

    // ---- what happens ----

    Host& host(const std::string& label) {
        Host* host = stage_->host(label);
        if (!host) throw BadScript("there is no node '" + label + "'");
        return *host;
    }
    Host& running(const std::string& label) {
        Host& at = host(label);
        if (!at.running()) throw BadScript(label + " does not run");
        return at;
    }
    Place place(const std::string& name) {
        if (!stage_->host(name) && !stage_->worker(name)) throw BadScript("there is no '" + name + "'");
        return stage_->place(name);
    }

    bool on_network(const Words& words) {
        const std::string& verb = words[0];
        if (verb == "run") {
            stage_->run(time_in(arg(words, 1)));
        } else if (verb == "settle") {
            stage_->settle(seconds(20));
        } else if (verb == "cut" || verb == "mend") {
            const auto change = verb == "cut" ? &Stage::cut : &Stage::mend;
            (*stage_.*change)(place(arg(words, 1)), place(arg(words, 3)));
            if (words[2] == "and") (*stage_.*change)(place(words[3]), place(words[1]));
            if (words[2] != "and" && words[2] != "to") throw BadScript("write: cut A and B, or: cut A to B");
        } else if (verb == "forget-connections") {
            Network& network = stage_->world().network;
            network.forget_connections(place(arg(words, 1)), place(arg(words, 3)));
            if (words[2] == "and") network.forget_connections(place(words[3]), place(words[1]));
            if (words[2] != "and" && words[2] != "to") throw BadScript("write: forget-connections A and B, or: A to B");
        } else if (verb == "shut" || verb == "open") {
            ports(words);
        } else if (verb == "split") {
            split(words);
        } else if (verb == "heal") {
            stage_->heal();
        } else if (verb == "hide" || verb == "show") {
            for (std::size_t i = 1; i < words.size(); ++i)
                verb == "hide" ? stage_->hide(words[i]) : stage_->show(words[i]);
        } else {
            return false;
        }
        return true;
    }

    /// shut gossip of b [for a c]: nobody, or none of these, reaches that port any more
    void ports(const Words& words) {
        const std::map<std::string, Port> ports = {
            {"door", Port::door}, {"control", Port::control}, {"gossip", Port::gossip}};
        if (!ports.contains(arg(words, 1)) || arg(words, 2) != "of")
            throw BadScript("write: shut door|control|gossip of NODE [for NODE...]");
        const Port port = ports.at(words[1]);
        const Place server = place(arg(words, 3));
        std::vector<Place> clients;
        for (std::size_t i = 5; i < words.size(); ++i) clients.push_back(place(words[i]));
        for (const auto& [label, client] : cast_.places)
            if (words.size() <= 5) clients.push_back(client);
        for (const Place client : clients)
            words[0] == "shut" ? stage_->cut_port(client, server, port) : stage_->mend_port(client, server, port);
    }

    /// split a b | c
    void split(const Words& words) {
        std::vector<std::vector<Place>> sides(1);
        for (std::size_t i = 1; i < words.size(); ++i) {
            if (words[i] == "|")
                sides.emplace_back();
            else
                sides.back().push_back(place(words[i]));
        }
        for (const auto& side : sides) {
            for (const auto& other : sides) {
                if (&side == &other) continue;
                for (const Place from : side)
                    for (const Place to : other) stage_->cut(from, to);
            }
        }
    }

    /// drop|hold TYPE of ORIGIN at NODE [COUNT]; release
    bool on_messages(const Words& words) {
        const std::string& verb = words[0];
        if (verb == "release") return stage_->release(), true;
        if (verb != "drop" && verb != "hold") return false;
        if (arg(words, 2) != "of" || arg(words, 4) != "at") throw BadScript("write: drop TYPE of NODE at NODE [COUNT]");
        const std::uint64_t count = words.size() > 6 ? number_in(words[6]) : 1;
        stage_->withhold(words[1], words[3], host(arg(words, 5)), count, verb == "hold");
        return true;
    }

    bool on_processes(const Words& words) {
        const std::map<std::string, std::pair<void (Host::*)(), void (Worker::*)()>> verbs = {
            {"start", {&Host::start, &Worker::start}},         {"crash", {&Host::crash, &Worker::crash}},
            {"shutdown", {&Host::shutdown, &Worker::goodbye}}, {"stop", {&Host::pause, &Worker::pause}},
            {"continue", {&Host::resume, &Worker::resume}},
        };
        if (words[0] == "tell") return tell_lie(words), true;
        if (words[0] == "replace-key") return stage_->world().replaced->replace(host(arg(words, 1)).name()), true;
        if (words[0] == "set-back") return host(arg(words, 1)).set_clock_back(), true;
        if (words[0] == "set-ahead") return host(arg(words, 1)).set_clock_ahead(), true;
        if (words[0] == "set-right") return host(arg(words, 1)).set_clock_right(), true;
        if (words[0] == "reopen" && stage_->worker(arg(words, 1))) return stage_->worker(words[1])->reopen(), true;
        if (words[0] == "move-on" && stage_->worker(arg(words, 1))) return stage_->worker(words[1])->move_on(), true;
        if (words[0] == "drain") return host(arg(words, 1)).drain(seconds(10), [] {}), true;
        if (words[0] == "reset" && stage_->worker(arg(words, 1)))
            return stage_->world().network.reset_doors_of(*stage_->worker(words[1])), true;
        const auto verb = verbs.find(words[0]);
        if (verb == verbs.end()) return false;
        for (std::size_t i = 1; i < words.size(); ++i) {
            if (Worker* worker = stage_->worker(words[i])) {
                (worker->*verb->second.second)();
                continue;
            }
            Host& at = host(words[i]);
            if (at.running() == (words[0] == "start")) throw BadScript(words[i] + " is in no state for that");
            (at.*verb->second.first)();
        }
        return true;
    }

    /// tell a by b of x at c [life 7]: of a life of x that has the addresses of c
    void tell_lie(const Words& words) {
        if (arg(words, 2) != "by" || arg(words, 4) != "of" || arg(words, 6) != "at")
            throw BadScript("write: tell NODE by NODE of NAME at NODE");
        const Host& at = running(arg(words, 7));
        const std::uint64_t number = words.size() > 9 && words[8] == "life" ? number_in(words[9]) : ++lies_;
        proto::PeerRecord life{
            {words[5], Incarnation{number}}, 0, NodeState::alive, at.door(), at.control(), at.gossip(), Seq{}, {}};
        if (const auto notary = stage_->world().notary_of(words[5]))
            life.proof = notary->sign(signed_bytes(kScope, life));
        stage_->tell_lie(running(words[1]), running(words[3]), {{life}});
    }

    /// join|leave|notify|watch NODE-OR-WORKER GROUP …; members GROUP; states
    bool on_groups(const Words& words) {
        const std::string& verb = words[0];
        if (verb == "members") return members(group_in(arg(words, 1))), true;
        if (verb == "states") return states(), true;
        if (verb != "join" && verb != "leave" && verb != "notify" && verb != "watch") return false;
        const Group group = group_in(arg(words, 2));
        std::uint64_t count = 1;
        bool wait = false;
        for (std::size_t i = 3; i < words.size(); ++i) {
            if (words[i] == "wait")
                wait = true;
            else
                count = number_in(words[i]);
        }
        if (Worker* worker = stage_->worker(words[1]))
            ask_worker(*worker, verb, group, count, wait);
        else
            ask_host(running(words[1]), verb, group, count, wait);
        return true;
    }
    void ask_worker(Worker& worker, const std::string& verb, const Group& group, std::uint64_t count, bool wait) {
        if (!worker.attached()) throw BadScript(worker.name() + " is not attached");
        if (verb == "join") worker.join(group, count, {}, wait);
        if (verb == "leave") worker.leave(group, count, false);
        if (verb == "watch") worker.watch(group);
        for (std::uint64_t i = 0; verb == "notify" && i < count; ++i)
            worker.notify(NotificationKind::created, group, wait);
    }
    void ask_host(Host& at, const std::string& verb, const Group& group, std::uint64_t count, bool wait) {
        Model& model = stage_->model();
        constexpr HandlerId handler{1};
        if (verb == "join") at.call(LocalJoin{model.next_call(), handler, group, count, {}, wait, seconds(5)});
        if (verb == "leave") at.call(LocalLeave{model.next_call(), handler, group, {}, count});
        if (verb == "watch") at.call(LocalWatch{WatchId{++last_watch_}, group});
        for (std::uint64_t i = 0; verb == "notify" && i < count; ++i)
            at.call(LocalNotify{model.next_call(), NotificationKind::created, group,
                                data_of(model.notices().next_number()), wait, seconds(5)});
    }

    /// One line for all nodes that say the same.
    void tell_alike(const std::function<std::string(Host&)>& ask) {
        std::map<std::string, std::string> who;
        for (const auto& [label, at] : stage_->running()) who[ask(*at)] += label + " ";
        for (const auto& [answer, labels] : who) stage_->say(labels + "say: " + answer);
    }
    void members(const Group& group) {
        tell_alike([&](Host& at) {
            std::string answer;
            for (const Member& member : at.core().members(group, false))
                answer += (answer.empty() ? "" : " ") + to_string(member.id) +
                          (member.worker.empty() ? "" : "@" + member.worker);
            return answer.empty() ? "none" : answer;
        });
    }
    void states() {
        tell_alike([](Host& at) {
            std::string answer;
            for (const NodeInfo& node : at.core().nodes())
                answer += (answer.empty() ? "" : ", ") + node.id.name + "/" +
                          std::to_string(node.id.incarnation.value) + " " + std::string(to_string(node.state));
            return answer;
        });
    }

    Cast cast_;
    std::vector<std::pair<std::string, Impostor>> guests_;
    std::optional<Stage> stage_;
    std::string out_;
    std::uint64_t last_watch_ = kMainWatch.value;
    std::uint64_t lies_ = 0;
};

}  // namespace

std::string play(const std::string& script) {
    return Player().play(script);
}

}  // namespace muster::sim
