// Shares out the process's descriptors, so that clients cannot take those of the admin port, the probes and the
// servers. Thread: control, at start.
#pragma once

#include "common/result.h"
#include "lb/pool/settings.h"

#include <cstddef>

namespace holdfast::lb {

/// Who gets how many.
struct DescriptorShares {
  std::size_t clients = 0;    // and as many for the connections to servers that they need
  std::size_t idle_each = 0;  // kept idle to each server by each worker, at most
  std::size_t admin = 0;      // connections of the admin port
};

/// The shares of `files` descriptors that respect `settings`; TooMany where they do not suffice for serving at all.
Result<DescriptorShares> share_descriptors(std::size_t files, const Settings& settings, std::size_t worker_count);

/// Raises the process's limit of open files as far as it may; returns what it is.
std::size_t raise_file_limit();

}  // namespace holdfast::lb
