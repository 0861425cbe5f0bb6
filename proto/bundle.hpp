// Messages of several lines of one connection in one frame. PROTOCOL.md, "Bundles".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/codec.hpp"

namespace muster::proto {

/// Encodes each message when it is added. A notice that several deliveries have is encoded once.
class BundleEncoder {
public:
    /// The message must respect limits.hpp.
    void add(std::uint64_t line, const Message& message);
    [[nodiscard]] bool empty() const { return count_ == 0; }
    /// Whether the next message belongs in another bundle, so that the frame stays within limits::kFrame.
    [[nodiscard]] bool is_full() const;
    /// Appends the frame to `out`, and begins again.
    void finish(std::string& out);

private:
    Header header_;  // of the first message
    std::uint32_t count_ = 0;
    std::string parts_;
    std::string message_;
    NoticeTable notices_;
};

/// Whether a frame may be a bundle: no message is.
bool is_bundle(std::string_view frame);

struct BundlePart {
    std::uint64_t line = 0;
    std::size_t size = 0;  // bytes on the wire
    Decoded message;
};
/// The messages of a bundle. A message that cannot be decoded does not hide the others.
Result<std::vector<BundlePart>, DecodeError> decode_bundle(std::string_view frame);

}  // namespace muster::proto
