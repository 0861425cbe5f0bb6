// Stands between a program and its codec, so that the very programs that ship can be peers of another version. Linked
// into musterd_translated and muster_translated with the linker's --wrap; what TRANSLATION says decides:
//   newer        sends as a later minor may, and unknown messages in between
//   major        speaks version 2: refuses all of version 1, and says so
//   record:DIR   appends each frame that it sends to a file of DIR, in hexadecimal
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "node/client/connection.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"
#include "tests/versions/newer.hpp"

// The names are those of the C++ ABI; a test of each mode fails when one is outdated.
#define ENCODE_TO "_ZN6muster5proto6encodeERKNS0_7MessageERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
#define ENCODE "_ZN6muster5proto6encodeB5cxx11ERKNS0_7MessageE"
#define DECODE "_ZN6muster5proto6decodeESt17basic_string_viewIcSt11char_traitsIcEE"
#define NODE_SEND "_ZN6muster4node4sendERN3zmq8socket_tESt17basic_string_viewIcSt11char_traitsIcEEb"
#define CLIENT_SEND "_ZN6muster6client10Connection4sendERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"

namespace muster::versions {

using client::Connection;
using node::Sent;

void real_encode(const proto::Message& message, std::string& out) asm("__real_" ENCODE_TO);
proto::Decoded real_decode(std::string_view frame) asm("__real_" DECODE);
Sent real_send(zmq::socket_t& socket, std::string_view bytes, bool more) asm("__real_" NODE_SEND);
bool real_client_send(Connection* connection, const std::string& frame) asm("__real_" CLIENT_SEND);

namespace {

constexpr char kOtherMajor = 2;
constexpr unsigned kUnknownEvery = 7;  // messages
constexpr unsigned kRecorded = 4;      // frames of a type, by each process

class Translation {
public:
    Translation() {
        const char* said = std::getenv("TRANSLATION");
        const std::string mode = said == nullptr ? "" : said;
        newer_ = mode == "newer";
        major_ = mode == "major";
        if (mode.starts_with("record:")) record_.open(mode.substr(7) + '/' + std::to_string(::getpid()) + ".hex");
    }

    void encode(const proto::Message& message, std::string& out) {
        const std::lock_guard lock(mutex_);
        last_ = message.header;
        if (newer_) {
            out += peer_.encode(message);
            return;
        }
        std::string frame;
        real_encode(message, frame);
        if (record_.is_open() && ++recorded_[message.body.index()] <= kRecorded) record(frame);
        out += major_ ? with_major(std::move(frame), kOtherMajor) : frame;
    }

    proto::Decoded decode(std::string_view frame) {
        const auto major = proto::major_of(frame);
        if (!major_ || !major) return real_decode(frame);
        if (*major != kOtherMajor) return proto::DecodeError::wrong_major;
        return real_decode(with_major(std::string(frame), static_cast<char>(proto::kMajor)));
    }

    /// A message that nobody knows, when it is time for one.
    std::string unknown() {
        const std::lock_guard lock(mutex_);
        if (!newer_ || ++sent_ % kUnknownEvery != 0) return {};
        return peer_.unknown(last_);
    }

private:
    void record(const std::string& frame) {
        constexpr std::string_view digits = "0123456789abcdef";
        for (const char c : frame)
            record_ << digits[static_cast<unsigned char>(c) >> 4] << digits[static_cast<unsigned char>(c) & 15];
        record_ << std::endl;
    }

    std::mutex mutex_;
    bool newer_ = false;
    bool major_ = false;
    std::ofstream record_;
    std::map<std::size_t, unsigned> recorded_;
    NewerPeer peer_;
    proto::Header last_;
    unsigned sent_ = 0;
};

Translation& translation() {
    static Translation one;
    return one;
}

/// The topic that a gossip frame begins with; empty on other sockets.
std::string_view topic_of(std::string_view frame) {
    const auto end = frame.starts_with("g:") ? frame.find('\0') : std::string_view::npos;
    return end == std::string_view::npos ? std::string_view{} : frame.substr(0, end + 2);
}

}  // namespace

void encode_to(const proto::Message& message, std::string& out) asm("__wrap_" ENCODE_TO);
void encode_to(const proto::Message& message, std::string& out) {
    translation().encode(message, out);
}

std::string encode(const proto::Message& message) asm("__wrap_" ENCODE);
std::string encode(const proto::Message& message) {
    std::string out;
    translation().encode(message, out);
    return out;
}

proto::Decoded decode(std::string_view frame) asm("__wrap_" DECODE);
proto::Decoded decode(std::string_view frame) {
    return translation().decode(frame);
}

Sent send(zmq::socket_t& socket, std::string_view bytes, bool more) asm("__wrap_" NODE_SEND);
Sent send(zmq::socket_t& socket, std::string_view bytes, bool more) {
    static thread_local std::string route;  // of the message whose second part comes next
    const Sent sent = real_send(socket, bytes, more);
    if (more) {
        route = sent == Sent::yes ? bytes : "";
        return sent;
    }
    if (const auto unknown = translation().unknown(); !unknown.empty() && sent == Sent::yes) {
        const bool routed = !route.empty();
        if (!routed || real_send(socket, route, true) == Sent::yes)
            real_send(socket, std::string(topic_of(bytes)) + unknown, false);
    }
    route.clear();
    return sent;
}

bool client_send(Connection* connection, const std::string& frame) asm("__wrap_" CLIENT_SEND);
bool client_send(Connection* connection, const std::string& frame) {
    const bool sent = real_client_send(connection, frame);
    if (const auto unknown = translation().unknown(); sent && !unknown.empty()) real_client_send(connection, unknown);
    return sent;
}

}  // namespace muster::versions
