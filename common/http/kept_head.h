// A request head that outlives the call that gave it: the views of a head, and the bytes that they are of.
#pragma once

#include "common/http/head.h"

#include <string>
#include <vector>

namespace holdfast {

class KeptRequestHead {
 public:
  void keep(const RequestHead& head);
  const RequestHead& head() const { return head_; }

 private:
  std::string bytes_;
  std::vector<Field> fields_;
  RequestHead head_;
};

}  // namespace holdfast
