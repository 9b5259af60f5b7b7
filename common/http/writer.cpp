#include "common/http/writer.h"

namespace holdfast {

std::string_view DateField::now() {
  timespec clock{};
  clock_gettime(CLOCK_REALTIME_COARSE, &clock);
  if (clock.tv_sec != at_ || length_ == 0) {
    at_ = clock.tv_sec;
    tm parts{};
    gmtime_r(&at_, &parts);
    length_ = std::strftime(text_.data(), text_.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {text_.data(), length_};
}

}  // namespace holdfast
