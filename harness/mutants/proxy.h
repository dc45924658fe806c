// A proxy between the suite and a good target that makes the target break one rule: what the target
// says passes through a function that may change it, drop it or say it twice.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/mutants/listener.h"
#include "harness/wire/pdu.h"
#include "harness/wire/text.h"

namespace tsih::mutants {

/// One PDU from the target on its way to the initiator, and the requests that came before it.
struct Passing {
  wire::Pdu pdu;
  wire::Pdu last_request;
  std::vector<wire::Pdu> requests;  ///< all of this connection, without their data
  unsigned number = 0;              ///< of the target's PDUs on this connection, from 0
};
/// What goes on instead; an empty list is silence.
using Mutation = std::function<std::vector<wire::Pdu>(const Passing&)>;

/// The target that seems to use markers as they were agreed on (RFC 3720 appendix A).
struct Marking {
  std::uint32_t interval_bytes = 0;
  std::uint32_t skew = 0;  ///< every pointer of the target is wrong by so much
};

struct Mutant {
  Mutation mutate;
  bool spoil_header_digest = false;
  bool spoil_data_digest = false;
  bool keeps_open = false;       ///< what the target closes stays open towards the initiator
  unsigned keeps_open_only = 0;  ///< of all connections this one, counted from 1; 0: every one
  bool spoil_padding = false;    ///< the padding of data is not zero
  bool mends_digests = false;    ///< a wrong digest of the initiator passes for a right one
  /// Requests of the login and of text with another text: what the target is to answer so that the
  /// mutation can make something else of it. Nothing: as they are.
  std::function<wire::TextKeys(const wire::TextKeys&)> rewrite = {};
  /// Markers for a target that knows none, in each direction that the changed answers agree to.
  std::optional<Marking> marking = {};
};

struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

class MutatingProxy {
 public:
  /// Listens on a port of 127.0.0.1 and opens a connection to the target for each that comes.
  MutatingProxy(Endpoint target, Mutant mutant);
  std::uint16_t port() const { return listener_.port(); }

 private:
  void serve(int initiator);

  Endpoint target_;
  Mutant mutant_;
  std::atomic<unsigned> connections_ = 0;
  Listener listener_;
};

}  // namespace tsih::mutants
