#include "app/links/code.h"

#include "common/assert.h"

#include <sys/random.h>

namespace holdfast::app {
namespace {

/// Random bytes, fetched some at a time: a call of the kernel is worth more than one of them.
class Stock {
 public:
  std::uint8_t take() {
    if (at_ == bytes_.size()) {
      // Up to 256 bytes come whole and at once, once the kernel's pool was ready (getrandom(2)).
      HF_ASSERT(::getrandom(bytes_.data(), bytes_.size(), 0) == static_cast<ssize_t>(bytes_.size()));
      at_ = 0;
    }
    return bytes_[at_++];
  }

 private:
  std::array<std::uint8_t, 256> bytes_{};
  std::size_t at_ = 256;
};

thread_local Stock stock;

}  // namespace

std::string random_code(std::size_t length) {
  std::string code;
  while (code.size() < length) {
    if (const auto letter = letter_for(stock.take())) code += *letter;
  }
  return code;
}

std::string random_uuid() {
  std::string text;
  for (int i = 0; i < 16; ++i) {
    std::uint8_t byte = stock.take();
    if (i == 6) byte = static_cast<std::uint8_t>((byte & 0x0F) | 0x40);
    if (i == 8) byte = static_cast<std::uint8_t>((byte & 0x3F) | 0x80);
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace holdfast::app
