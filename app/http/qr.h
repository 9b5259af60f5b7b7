// QR codes of short URLs, as SVG or PNG.
// Thread: any.
#pragma once

#include "app/http/problem.h"

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

struct QrRequest {
  int size = 300;    // pixels of a side
  int margin = 4;    // modules; scanners want 4
  char level = 'M';  // how much may be damaged: L, M, Q, H
  bool is_svg = false;
};
/// Reads `size=300&margin=4&level=M&format=png`.
tl::expected<QrRequest, std::vector<FieldError>> parse_qr(std::string_view query);

/// The image; empty where the text is too long for a code of that level.
std::string qr_image(std::string_view text, const QrRequest& request);

}  // namespace holdfast::app
