#include "lb/pool/settings.h"

namespace holdfast::lb {

std::string PolicySettings::text() const {
  switch (policy) {
    case Policy::RoundRobin:
      return "round_robin";
    case Policy::LeastRequests:
      return "least_requests";
    case Policy::Random:
      return "random";
    case Policy::First:
      return "first";
    case Policy::Hash:
      break;
  }
  switch (source) {
    case HashSource::ClientIp:
      return "hash client_ip";
    case HashSource::Path:
      return "hash path";
    case HashSource::Header:
      return "hash header " + name;
    case HashSource::Cookie:
      return "hash cookie " + name;
  }
  return "";
}

}  // namespace holdfast::lb
