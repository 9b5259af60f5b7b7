#include "app/http/assets.h"

namespace holdfast::app {

std::string_view asset(std::string_view name) {
  for (const Asset& each : assets()) {
    if (each.name == name) return each.content;
  }
  return {};
}

}  // namespace holdfast::app
