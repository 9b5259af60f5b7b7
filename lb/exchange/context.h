// What all exchanges of a worker share. Built by the worker, outlives them.
// Thread: worker.
#pragma once

#include "common/http/writer.h"
#include "common/loop/timeouts.h"
#include "common/memory/pool.h"
#include "lb/exchange/forward.h"
#include "lb/pool/settings.h"

#include <cstddef>
#include <random>

namespace holdfast::lb {

class Exchange;

struct ExchangeContext {
  Loop& loop;
  TimeoutClass& timeouts_connect;
  TimeoutClass& timeouts_first_byte;
  TimeoutClass& timeouts_idle;
  TimeoutClass& timeouts_wait;
  TimeoutClass& timeouts_hedge;
  TimeoutClass& timeouts_tunnel;
  const UpstreamTimeouts& timeouts;
  std::size_t request_body_bytes_max;
  std::size_t worker;
  DateField date;
  RequestIds request_ids;
  std::minstd_rand dice;
  /// Tells the control thread that a server failed. Cheap; calls between two turns are one.
  void (*tell_failure)(void* worker);
  void* teller;
  Pool<Exchange>* unused = nullptr;
  bool is_noted = false;   // somebody may want to know of exchanges that have ended: their attempts are noted
  bool is_logged = false;  // of all: what clients said is kept from the beginning
};

}  // namespace holdfast::lb
