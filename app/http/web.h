// What a browser is given: the page and its files, QR codes.
// Thread: the loop's.
#pragma once

#include "app/http/assets.h"
#include "app/http/links_api.h"
#include "app/http/reply.h"
#include "app/links/lookup.h"

#include <string_view>

namespace holdfast::app {

class Web {
 public:
  Web(Lookup& lookup, const LinksApi& links) : lookup_(lookup), links_(links) {}

  /// A file of kWebFiles.
  void file(const HttpRequest& request, Reply reply) const;
  void qr(const HttpRequest& request, Reply reply, std::string_view code);

 private:
  class WaitingQr;

  Lookup& lookup_;
  const LinksApi& links_;
};

}  // namespace holdfast::app
