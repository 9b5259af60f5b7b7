#include "lb/pool/placeholders.h"

#include <doctest/doctest.h>
#include <string>

using holdfast::lb::placeholder_error;

TEST_CASE("a placeholder of Caddy, nginx or HAProxy is an error that names it") {
  for (const char* placeholder :
       {"{remote_host}", "{http.request.remote.host}", "{header.X-User}", "{>X-User}", "{?page}", "{$NAME}",
        "{env.NAME}", "$remote_addr", "$proxy_add_x_forwarded_for", "${host}", "%[src]", "%[req.hdr(host),lower]"}) {
    for (const std::string around : {"", "by ", "for="}) {
      const std::string value = around + placeholder + (around.empty() ? "" : " x");
      CAPTURE(value);
      const auto error = placeholder_error(value);
      REQUIRE(error.has_value());
      CHECK(error->find("would send " + std::string(placeholder) + " literally") != std::string::npos);
    }
  }
}

TEST_CASE("the error names the field in which lb sends the same") {
  const auto names = [](const char* value, const char* field) {
    return placeholder_error(value).value_or("").find(field) != std::string::npos;
  };
  for (const char* value : {"{remote_host}", "{client_ip}", "$remote_addr", "$proxy_add_x_forwarded_for", "%[src]"}) {
    CHECK(names(value, "X-Forwarded-For"));
  }
  for (const char* value : {"{scheme}", "$scheme", "%[ssl_fc]"}) CHECK(names(value, "X-Forwarded-Proto"));
  for (const char* value : {"{http.request.uuid}", "$request_id"}) CHECK(names(value, "X-Request-ID"));
  for (const char* value : {"{host}", "$host", "%[req.hdr(host)]"}) CHECK(names(value, "X-Forwarded-Host"));
  CHECK(names("{upstream_hostport}", "write the host itself"));
  CHECK(names("$ssl_client_s_dn", "write a constant value"));
}

TEST_CASE("values that only look similar are no placeholders") {
  for (const char* value : {"",
                            "{}",
                            "$",
                            "%",
                            "%[",
                            "{",
                            "{\"group\":\"default\",\"max_age\":60}",
                            "{ a }",
                            "{a",
                            "$5.00",
                            "Bearer pa$word",
                            "a%20b",
                            "%C3%A9",
                            "%[1]",
                            "max-age=60",
                            "default-src 'self'",
                            "Bearer $ecretword1",
                            "Basic $argon2id$v=19",
                            "/{username}",
                            "${token}",
                            "$hosts"}) {
    CAPTURE(value);
    CHECK_FALSE(placeholder_error(value).has_value());
  }
}
