#include "common/assert.h"

#include <cstdio>
#include <cstdlib>

namespace holdfast {
namespace {

thread_local const void* serving_object = nullptr;
thread_local Serving::Describe serving_describe = nullptr;

}  // namespace

Serving::Serving(const void* object, Describe describe) noexcept
    : object_before_(serving_object), describe_before_(serving_describe) {
  serving_object = object;
  serving_describe = describe;
}

Serving::~Serving() {
  serving_object = object_before_;
  serving_describe = describe_before_;
}

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "assertion failed: %s at %s:%d\n", expression, file, line);
  if (serving_describe != nullptr) {
    const Serving::Describe describe = serving_describe;
    serving_describe = nullptr;  // a second failure inside describe() must not come back here
    std::fprintf(stderr, "while serving: %s\n", describe(serving_object).c_str());
  }
  std::abort();
}

}  // namespace holdfast
