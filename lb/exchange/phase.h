// The phases of an exchange and the edges between them.
//
//   Picking ──▶ Connecting ──▶ Waiting ──▶ Holding ──▶ Responding ──▶ Done
//    │  ▲ ▲         │             │  │        │                        ▲
//    │  │ └─ retry ─┴─────────────┴──┼────────┘                        │
//    │  └── Queued ◀─ (Picking)      └──▶ Responding                   │
//    └──▶ Waiting (an idle connection)                any ──▶ Done ────┘
//         Waiting ──▶ Tunnelling ──▶ Done
//         Waiting ──▶ Connecting (the attempt failed, and its hedge is still on its way)
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::lb {

enum class Phase : std::uint8_t {
  Picking,     // choosing a server
  Queued,      // none may get a request, or all were tried: waiting for a change, a pause or the deadline
  Connecting,  // a new connection is on its way
  Waiting,     // the request is out, or going out; no response yet
  Holding,     // the response is coming in; none of it has gone to the client
  Responding,  // some of it has: from here on nothing is tried again
  Tunnelling,  // another protocol by now: bytes go both ways unread
  Done,
};

constexpr bool is_edge(Phase from, Phase to) {
  if (to == Phase::Done) return from != Phase::Done;
  switch (from) {
    case Phase::Picking:
      return to == Phase::Queued || to == Phase::Connecting || to == Phase::Waiting;
    case Phase::Queued:
      return to == Phase::Picking;
    case Phase::Connecting:
      return to == Phase::Picking || to == Phase::Waiting;
    case Phase::Waiting:
      return to == Phase::Picking || to == Phase::Connecting || to == Phase::Holding || to == Phase::Responding ||
             to == Phase::Tunnelling;
    case Phase::Holding:
      return to == Phase::Picking || to == Phase::Responding;
    case Phase::Responding:
    case Phase::Tunnelling:
    case Phase::Done:
      return false;
  }
  return false;
}

constexpr std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::Picking:
      return "Picking";
    case Phase::Queued:
      return "Queued";
    case Phase::Connecting:
      return "Connecting";
    case Phase::Waiting:
      return "Waiting";
    case Phase::Holding:
      return "Holding";
    case Phase::Responding:
      return "Responding";
    case Phase::Tunnelling:
      return "Tunnelling";
    case Phase::Done:
      return "Done";
  }
  return "";
}

}  // namespace holdfast::lb
