#include "common/json.h"

#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

template <class Json>
std::string dump(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

nlohmann::json parse_json(std::string_view text) { return nlohmann::json::parse(text, nullptr, false); }

std::string json_text(const nlohmann::json& value) { return dump(value, -1); }
std::string json_text(const nlohmann::ordered_json& value) { return dump(value, -1); }

std::string pretty_json(const nlohmann::ordered_json& value) { return dump(value, 2) + "\n"; }

}  // namespace holdfast
