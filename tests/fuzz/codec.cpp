// The codec. Bytes as a frame: what is taken means the same when it is written and read again.
// Behind a first byte of 0xff, which begins no frame: a message that every reader must take.
#include "proto/codec.hpp"

#include "cluster/check.hpp"
#include "proto/bundle.hpp"
#include "tests/fuzz/dream.hpp"

namespace muster::fuzz {
namespace {

void comes_back(const proto::Message& message) {
    const std::string frame = proto::encode(message);
    auto again = proto::decode(frame);
    MUSTER_CHECK(again.ok());
    MUSTER_CHECK(*again == message);
    MUSTER_CHECK(proto::encode(*again) == frame);
}

void comes_back(const std::vector<proto::BundlePart>& parts) {
    proto::BundleEncoder encoder;
    std::vector<const proto::BundlePart*> sound;
    for (const auto& part : parts)
        if (part.message) sound.push_back(&part), encoder.add(part.line, *part.message);
    std::string frame;
    encoder.finish(frame);
    if (frame.size() > limits::kFrame) return;
    const auto again = proto::decode_bundle(frame);
    MUSTER_CHECK(again.ok() && again->size() == sound.size());
    for (std::size_t i = 0; i < sound.size(); ++i)
        MUSTER_CHECK((*again)[i].line == sound[i]->line && *(*again)[i].message == *sound[i]->message);
}

/// A frame in a buffer of its exact size, so that a byte read too many is seen.
void run(Input& input) {
    const std::string_view all = input.rest();
    const std::vector<char> frame(all.begin(), all.end());
    const std::string_view bytes(frame.data(), frame.size());
    (void)proto::is_valid_data(bytes);
    if (auto decoded = proto::decode(bytes)) comes_back(*decoded);
    if (const auto bundle = proto::decode_bundle(bytes)) comes_back(*bundle);
}

void run_dream(Input& input) {
    const Words words;
    Dream dream(input, words);
    comes_back(dream.message());
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    muster::fuzz::Input input(data, size);
    if (size == 0 || data[0] != 0xff) return muster::fuzz::run(input), 0;
    (void)input.byte();
    muster::fuzz::run_dream(input);
    return 0;
}
