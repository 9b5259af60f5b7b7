#include "app/http/qr.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("a QR code is a PNG or an SVG of the size that was asked for") {
  const std::string png = qr_image("https://s.example/abc", {.size = 300});
  REQUIRE(png.size() > 24);
  CHECK(png.substr(1, 3) == "PNG");
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(png[at]); };
  CHECK(byte(18) * 256 + byte(19) == 300);
  const std::string svg = qr_image("https://s.example/abc", {.size = 120, .is_svg = true});
  CHECK(svg.starts_with("<svg"));
  CHECK(svg.find("width=\"120\"") != std::string::npos);
  CHECK(qr_image(std::string(4'000, 'x'), {}).empty());
}

TEST_CASE("what is asked of a QR code is judged") {
  const auto well = parse_qr("size=500&margin=0&level=h&format=svg");
  REQUIRE(well);
  CHECK(well->size == 500);
  CHECK(well->margin == 0);
  CHECK(well->level == 'H');
  CHECK(well->is_svg);
  for (const char* bad : {"size=49", "size=1001", "size=x", "margin=21", "margin=-1", "level=X", "level=LM",
                          "format=gif", "colour=red"}) {
    CAPTURE(bad);
    CHECK(parse_qr(bad).error().size() == 1);
  }
}
