// Many links made by one call. To judge a thousand of them and to write out their answer takes tens of milliseconds, in
// which nobody else would be served: it is done a piece in each turn of the loop.
// Thread: the loop's.
#pragma once

#include "app/http/api_call.h"
#include "app/http/link_json.h"
#include "app/http/links_api.h"
#include "app/links/writer.h"
#include "common/loop/loop.h"

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace holdfast::app {

class LinksApi::Bulk final : public std::enable_shared_from_this<Bulk> {
 public:
  /// So many links are judged, or answered for, in one turn.
  static constexpr std::size_t kAtOnce = 20;

  Bulk(LinksApi& api, ApiCall call, ManyReader reader);

  //   Judging ──▶ Writing ──▶ Answering      (the first and the last in as many turns as they need)
  void judge();

 private:
  class Written;
  void write();
  void on_written(Created outcome, std::string_view created_at, std::span<const std::string> codes);
  void answer();
  void answer_for(const tl::expected<StoredLink, std::vector<FieldError>>& link);
  void soon(void (Bulk::*step)());
  std::string failed(const Problem& problem) const;

  LinksApi& api_;
  ApiCall call_;
  ManyReader reader_;
  TargetRules rules_;
  std::string base_;
  std::string now_;
  ManyLinks wanted_;
  std::vector<tl::expected<StoredLink, std::vector<FieldError>>> links_;  // as they were asked for
  std::string created_at_;
  std::vector<std::string> codes_;  // of those that were well
  std::size_t next_ = 0;            // of links_, to be answered for
  std::size_t next_code_ = 0;
  std::string body_ = R"({"results":[)";
};

}  // namespace holdfast::app
