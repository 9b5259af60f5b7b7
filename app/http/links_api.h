// The links of the API: /api/v1/links, …/bulk and …/{code}.
// Thread: the loop's.
#pragma once

#include "app/http/api_call.h"
#include "app/http/link_json.h"
#include "app/links/replicas.h"
#include "app/links/writer.h"
#include "common/loop/mailbox.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

struct LinksApiSettings {
  std::string public_url;  // without a slash at its end; empty: short URLs begin with the host that the client asked
  std::size_t target_bytes_max = 2048;
  std::size_t code_length = 7;
  bool requires_if_match = false;             // of a change
  std::chrono::milliseconds deadline{2'000};  // of a reading
  const Blocklist* blocklist = nullptr;
};

/// What whoever made a link, or tried to, hears where it was not made.
Problem problem_of(Created outcome);

class LinksApi {
 public:
  LinksApi(Loop& loop, LinkWriter& writer, Replicas& replicas, Postgres& primary, LinksApiSettings settings);

  void create(ApiCall call);
  void create_many(ApiCall call);
  void list(ApiCall call);
  void read(ApiCall call);
  void change(ApiCall call);
  void remove(ApiCall call);

  /// What short URLs begin with, for a client that asked this host.
  std::string base_for(std::string_view host) const;

 private:
  class Creating;
  class Bulk;
  class Changing;
  class Finding;
  class Reading;
  class Listing;

  TargetRules rules_for(const ApiCall& call) const;
  NewLink new_link(LinkRequest&& request, const ApiCall& call, const std::string& now) const;

  void really_create(ApiCall call, NewLink link, OnceKey once);

  Mailbox next_turn_;  // of requests that are worked through in several turns
  LinkWriter& writer_;
  Replicas& replicas_;
  Postgres& primary_;
  LinksApiSettings settings_;
  std::vector<Origin> public_origins_;
};

}  // namespace holdfast::app
