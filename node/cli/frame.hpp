// The screen content of `muster top`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "node/cli/output.hpp"
#include "node/cli/sample.hpp"

namespace muster::cli {

enum class Style { plain, head, bad, doubtful };

struct Line {
    std::string text;  // untrusted: pass it through printable() before it reaches a terminal
    Style style = Style::plain;
};

/// The input of one frame. `before` is null until there are two samples, `now` until there is one.
struct View {
    const Sample* before = nullptr;
    const Sample* now = nullptr;
    const StateAges* ages = nullptr;
    std::string trouble;  // why the newest sample is missing; empty: it is current
};

/// At most `rows` lines. Nodes and groups that do not fit are only counted.
std::vector<Line> frame_of(const View& view, std::size_t rows);
/// The same content as one JSON object. Needs `view.now`.
Json json_of(const View& view);

}  // namespace muster::cli
