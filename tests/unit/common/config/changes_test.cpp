#include "common/config/changes.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace holdfast;

namespace {

struct Door {
  std::string name;
  std::string code;
};
void describe(Keys& keys, Door& door) {
  keys.add("name", door.name, "");
  keys.add("code", door.code, "").secret();
}

std::vector<ConfigChange> changes(std::vector<Door> before, std::vector<Door> after) {
  Keys old_keys;
  Keys new_keys;
  old_keys.list_of<Door>("doors", before, "", "", nullptr);
  new_keys.list_of<Door>("doors", after, "", "", nullptr);
  return config_changes(old_keys, new_keys);
}

}  // namespace

TEST_CASE("a secret within a list is not told, and its change is") {
  CHECK(changes({{"front", "1234"}}, {{"front", "1234"}}).empty());
  const auto found = changes({{"front", "1234"}}, {{"front", "4321"}});
  REQUIRE(found.size() == 1);
  CHECK(found[0].key == "doors");
  CHECK(found[0].before == "(hidden)");
  CHECK(found[0].after == "(hidden)");
}
