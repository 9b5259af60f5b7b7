#include "app/http/qr.h"

#include "app/http/api_call.h"

#include <png.h>
#include <qrencode.h>
#include <charconv>
#include <cstdint>
#include <memory>

namespace holdfast::app {
namespace {

constexpr int kSizeMin = 50;
constexpr int kSizeMax = 1000;
constexpr int kMarginMax = 20;

struct FreeCode {
  void operator()(QRcode* code) const { QRcode_free(code); }
};
using Code = std::unique_ptr<QRcode, FreeCode>;

QRecLevel level_of(char letter) {
  switch (letter) {
    case 'L':
      return QR_ECLEVEL_L;
    case 'Q':
      return QR_ECLEVEL_Q;
    case 'H':
      return QR_ECLEVEL_H;
    default:
      return QR_ECLEVEL_M;
  }
}

bool is_dark(const QRcode& code, int x, int y) {
  if (x < 0 || y < 0 || x >= code.width || y >= code.width) return false;
  return (code.data[y * code.width + x] & 1) != 0;
}

std::string svg(const QRcode& code, const QrRequest& request) {
  const std::string side = std::to_string(code.width + 2 * request.margin);
  const std::string size = std::to_string(request.size);
  std::string image = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + size + "\" height=\"" + size +
                      "\" viewBox=\"0 0 " + side + " " + side +
                      "\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h" + side + "v" + side +
                      "H0z\"/>" + "<path d=\"";
  for (int y = 0; y < code.width; ++y) {
    for (int x = 0; x < code.width;) {
      int end = x;
      while (is_dark(code, end, y)) ++end;
      if (end > x) {
        image += 'M' + std::to_string(x + request.margin) + ' ' + std::to_string(y + request.margin) + 'h' +
                 std::to_string(end - x) + "v1h-" + std::to_string(end - x) + 'z';
      }
      x = end + 1;
    }
  }
  return image + "\"/></svg>\n";
}

/// Each module is a whole number of pixels; what is left over goes to the margin.
std::string png(const QRcode& code, const QrRequest& request) {
  const int modules = code.width + 2 * request.margin;
  const int scale = std::max(1, request.size / modules);
  const int side = std::max(request.size, modules);
  const int offset = (side - code.width * scale) / 2;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), 255);
  for (int y = 0; y < code.width * scale; ++y) {
    for (int x = 0; x < code.width * scale; ++x) {
      if (is_dark(code, x / scale, y / scale)) pixels[static_cast<std::size_t>((y + offset) * side + x + offset)] = 0;
    }
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(side);
  image.height = static_cast<png_uint_32>(side);
  image.format = PNG_FORMAT_GRAY;
  png_alloc_size_t bytes = 0;
  if (png_image_write_to_memory(&image, nullptr, &bytes, 0, pixels.data(), 0, nullptr) == 0) return {};
  std::string out(bytes, '\0');
  if (png_image_write_to_memory(&image, out.data(), &bytes, 0, pixels.data(), 0, nullptr) == 0) return {};
  out.resize(bytes);
  return out;
}

}  // namespace

tl::expected<QrRequest, std::vector<FieldError>> parse_qr(std::string_view query) {
  QrRequest request;
  std::vector<FieldError> errors;
  const auto wrong = [&](const std::string& name, std::string why) {
    if (errors.size() < 8) errors.push_back({"?" + name.substr(0, 64), std::move(why)});
  };
  const auto number = [&](const std::string& name, const std::string& value, int least, int most, int& stored) {
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), stored);
    if (problem == std::errc{} && end == value.data() + value.size() && stored >= least && stored <= most) return;
    wrong(name, "it must be a number from " + std::to_string(least) + " to " + std::to_string(most));
  };
  for (const auto& [name, value] : parse_query(query)) {
    if (name == "size") {
      number(name, value, kSizeMin, kSizeMax, request.size);
    } else if (name == "margin") {
      number(name, value, 0, kMarginMax, request.margin);
    } else if (name == "level") {
      const auto at = value.size() == 1 ? std::string_view("LMQHlmqh").find(value[0]) : std::string_view::npos;
      if (at == std::string_view::npos) {
        wrong(name, "allowed: L, M, Q, H");
      } else {
        request.level = "LMQH"[at % 4];
      }
    } else if (name == "format") {
      request.is_svg = value == "svg";
      if (!request.is_svg && value != "png") wrong(name, "allowed: png, svg");
    } else {
      wrong(name, "not known here; known are size, margin, level and format");
    }
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return request;
}

std::string qr_image(std::string_view text, const QrRequest& request) {
  const std::string whole(text);
  const Code code(QRcode_encodeString8bit(whole.c_str(), 0, level_of(request.level)));
  if (code == nullptr) return {};
  return request.is_svg ? svg(*code, request) : png(*code, request);
}

}  // namespace holdfast::app
