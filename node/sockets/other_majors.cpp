#include "node/sockets/other_majors.hpp"

#include "node/io/line_limiter.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr auto kEvery = std::chrono::seconds(60);

}  // namespace

std::string major_and_ours(std::string_view frame) {
    const auto major = proto::major_of(frame);
    return "version " + (major ? std::to_string(*major) : "?") + " of the protocol, this node version " +
           std::to_string(proto::kMajor) + ": update the older of the two";
}

void OtherMajors::warn(const std::string& sender, std::string_view frame, cluster::Instant now) {
    std::erase_if(warned_, [&](const auto& one) { return now - one.second >= kEvery; });
    if (warned_.contains(sender) || warned_.size() >= kMaxSenders) {
        ++held_back_;
        counters_.held_back();
        return;
    }
    warned_.emplace(sender, now);
    LogLine line{2, "other_major", sender + " speaks " + major_and_ours(frame), {{"from", sender}}};
    if (held_back_ != 0) add_held_back(line, held_back_);
    held_back_ = 0;
    if (log_) log_(std::move(line));
}

}  // namespace muster::node
