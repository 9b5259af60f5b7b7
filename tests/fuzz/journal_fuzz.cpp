// A journal's segment may hold any bytes after a crash: reading them ends, reads nothing beyond them, and gives only
// frames whose checksum is right. Records, which also come out of Redis, likewise.
#include "app/clicks/segment.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace holdfast::app;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A heap copy of exactly this size, so that a read past its end is found.
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  std::string_view rest = bytes;
  (void)read_header(rest);
  if (rest.size() >= kSegmentHeaderBytes) rest.remove_prefix(kSegmentHeaderBytes);
  Frame frame;
  for (std::size_t before = rest.size(); take_frame(rest, frame) == FrameFound::Whole; before = rest.size()) {
    if (rest.size() >= before) std::abort();  // it would be asked for ever
  }

  // The same bytes as records: whole ones survive being written again.
  std::string_view records = bytes;
  while (!records.empty()) {
    const std::size_t before = records.size();
    const auto click = take_record(records);
    if (records.size() >= before) break;
    if (!click) continue;
    std::string again;
    append_record(again, *click);
    std::string_view view = again;
    const auto read = take_record(view);
    if (!read || read->code != click->code || read->at_ms != click->at_ms || !view.empty()) std::abort();
  }

  // And as the records of a frame: sealed, it is read whole; a changed byte is noticed.
  if (size == 0 || size > 4096) return 0;
  std::string sealed(kFrameHeaderBytes, '\0');
  sealed += bytes;
  seal_frame(sealed, 0, 7, 1);
  std::string_view view = sealed;
  if (take_frame(view, frame) != FrameFound::Whole || frame.records != bytes || frame.first != 7) std::abort();
  sealed[data[0] % sealed.size()] ^= 0x20;
  view = sealed;
  if (take_frame(view, frame) == FrameFound::Whole) std::abort();
  return 0;
}
