// Buffers that all connections of one HttpServer use in turn. Private to common/http/server.
#pragma once

#include "common/http/parser.h"
#include "common/http/writer.h"

#include <string>

namespace holdfast {

struct HttpServerScratch {
  HeadScratch head;
  std::string response;  // a head under construction
  DateField date;
};

}  // namespace holdfast
