// The version and revision that this was built from.
#pragma once

namespace holdfast {

extern const char* const kVersion;   // 0.1.0
extern const char* const kRevision;  // of git, with "-dirty" where files were changed

}  // namespace holdfast
