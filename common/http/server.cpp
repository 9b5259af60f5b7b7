#include "common/http/server.h"

#include "common/http/connection.h"
#include "common/http/server_scratch.h"

#include <utility>

namespace holdfast {

HttpServer::HttpServer(Loop& loop, Timeouts& timeouts, const ServerLimits& limits, HttpHandler& handler)
    : loop_(loop),
      limits_(limits),
      handler_(handler),
      timeouts_head_(timeouts.add_class()),
      timeouts_idle_(timeouts.add_class()),
      timeouts_stall_(timeouts.add_class()),
      timeouts_linger_(timeouts.add_class()),
      scratch_(std::make_unique<HttpServerScratch>()) {}

HttpServer::~HttpServer() {
  drained_ = nullptr;
  while (HttpConnection* connection = connections_.front()) {
    connection->unlink();
    connection->abandon();
    loop_.retire(std::unique_ptr<HttpConnection>(connection));  // it may have asked the loop for a turn
  }
}

Result<void> HttpServer::listen(const Address& address, PortSharing sharing) {
  auto listener = Listener::open(loop_, address, sharing, *this);
  if (!listener) return tl::unexpected(listener.error());
  listeners_.push_back(std::move(*listener));
  return {};
}

Address HttpServer::address() const { return listeners_.empty() ? Address{} : listeners_.front().address(); }

void HttpServer::on_accept(Stream stream) {
  ++counts_.accepted;
  if (counts_.open >= limits_.connections) {
    ++counts_.refused;
    return;  // dropping the stream closes it
  }
  ++counts_.open;
  auto* connection = new HttpConnection(*this, std::move(stream));  // owned by the list until on_gone()
  connections_.push_back(*connection);
  connection->start();
}

void HttpServer::on_gone(HttpConnection& connection) {
  connection.unlink();
  --counts_.open;
  loop_.retire(std::unique_ptr<HttpConnection>(&connection));
  if (counts_.open == 0 && drained_) std::exchange(drained_, nullptr)();
}

void HttpServer::drain(std::function<void()> done) {
  is_closing_ = true;
  for (Listener& listener : listeners_) listener.close();
  listeners_.clear();
  drained_ = std::move(done);
  HttpConnection* next = nullptr;
  for (HttpConnection* connection = connections_.front(); connection != nullptr; connection = next) {
    next = connections_.next(*connection);
    connection->close_when_idle();
  }
  if (counts_.open == 0 && drained_) std::exchange(drained_, nullptr)();
}

}  // namespace holdfast
