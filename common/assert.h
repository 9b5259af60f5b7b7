// HF_ASSERT: what we do wrong ends the process, in releases too, after saying what was being served.
#pragma once

#include <string>

namespace holdfast {

/// What the thread serves at the moment, for the last words of a failed assertion.
/// Thread: any; each has its own. The pointed-to describer must outlive the scope.
class Serving {
 public:
  using Describe = std::string (*)(const void* object);

  Serving(const void* object, Describe describe) noexcept;
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

 private:
  const void* object_before_;
  Describe describe_before_;
};

/// Prints the expression, the place and what was being served to stderr, and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace holdfast

#define HF_ASSERT(expression) \
  (static_cast<bool>(expression) ? static_cast<void>(0) : ::holdfast::assertion_failed(#expression, __FILE__, __LINE__))
