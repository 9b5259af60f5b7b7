#include "common/html.h"

#include <doctest/doctest.h>

using namespace holdfast;

TEST_CASE("nothing of a text opens an element, ends an attribute or begins a character reference") {
  CHECK(html("<a href=\"x\" title='y'>&lt;") == "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;lt;");
  CHECK(html("plain \xc3\xa9") == "plain \xc3\xa9");
}
