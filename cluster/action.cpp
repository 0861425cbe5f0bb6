#include "cluster/action.hpp"

#include <algorithm>

namespace muster::cluster {

std::uint64_t Deliver::awaited(const std::vector<MemberNumber>& members) const {
    if (!fan_out) return 0;
    return static_cast<std::uint64_t>(std::upper_bound(members.begin(), members.end(), notice->newest) -
                                      members.begin());
}

std::string to_string(const Sender& sender) {
    switch (sender.role) {
        case Sender::Role::anyone:
            return "anyone";
        case Sender::Role::node:
            return "node " + sender.name;
        case Sender::Role::worker:
            return "worker key " + sender.name;
        case Sender::Role::observer:
            return "observer " + sender.name;
        case Sender::Role::operator_:
            return "operator " + sender.name;
    }
    return {};
}

std::string_view to_string(Note::Kind kind) {
    switch (kind) {
        case Note::Kind::ready:
            return "ready";
        case Note::Kind::syncing:
            return "syncing";
        case Note::Kind::node_up:
            return "node up";
        case Note::Kind::node_suspect:
            return "node suspect";
        case Note::Kind::node_down:
            return "node down";
        case Note::Kind::node_left:
            return "node left";
        case Note::Kind::self_accused:
            return "self accused";
        case Note::Kind::name_taken:
            return "name taken";
        case Note::Kind::new_incarnation:
            return "new incarnation";
        case Note::Kind::dial_refused:
            return "dial refused";
        case Note::Kind::peer_refused:
            return "peer refused";
        case Note::Kind::administered:
            return "administered";
        case Note::Kind::worker_up:
            return "worker up";
        case Note::Kind::worker_resumed:
            return "worker resumed";
        case Note::Kind::worker_lost:
            return "worker lost";
        case Note::Kind::worker_down:
            return "worker down";
        case Note::Kind::snapshot_taken:
            return "snapshot taken";
        case Note::Kind::digest_mismatch:
            return "digest mismatch";
        case Note::Kind::deltas_refused:
            return "deltas refused";
        case Note::Kind::table_refused:
            return "table refused";
        case Note::Kind::channel_silent:
            return "channel silent";
        case Note::Kind::channel_restored:
            return "channel restored";
        case Note::Kind::overflow:
            return "overflow";
    }
    return "unknown";
}

}  // namespace muster::cluster
