#include "harness/mutants/proxy.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/wire/markers.h"
#include "harness/wire/reader.h"
#include "harness/wire/text.h"

namespace tsih::mutants {
namespace {

namespace field = wire::field;

void send_at_once(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

int connect_to(const Endpoint& target) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found) != 0)
    return -1;
  int fd = -1;
  for (const addrinfo* each = found; each && fd < 0; each = each->ai_next) {
    fd = socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, each->ai_addr, each->ai_addrlen) != 0) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  if (fd >= 0) send_at_once(fd);
  return fd;
}

/// One proxied connection: requests go through as they are, answers through the mutation.
class Relay {
 public:
  Relay(int initiator, int target, const Mutant& mutant, unsigned connection)
      : initiator_(initiator),
        target_(target),
        mutant_(mutant),
        keeps_open_(mutant.keeps_open &&
                    (mutant.keeps_open_only == 0 || mutant.keeps_open_only == connection)) {}

  void pump() {
    pollfd ends[2] = {{initiator_, POLLIN, 0}, {target_, POLLIN, 0}};
    while (poll(ends, 2, -1) > 0) {
      if (ends[0].revents != 0 && !requests()) return;
      if (ends[1].revents != 0 && !answers()) {
        if (!keeps_open_) return;
        target_gone_ = true;
        ends[1].fd = -1;
      }
    }
  }

 private:
  bool requests() {
    std::uint8_t buffer[65536];
    const ssize_t count = recv(initiator_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    received_bytes_ += static_cast<std::size_t>(count);
    auto bytes = std::span<const std::uint8_t>(buffer, static_cast<std::size_t>(count));
    wire::Bytes unmarked;
    if (marker_reader_) bytes = unmarked = marker_reader_->strip(bytes);
    from_initiator_.feed(bytes);
    wire::Bytes rewritten;
    const bool rewrites = mutant_.rewrite || mutant_.mends_digests;
    while (auto pdu = from_initiator_.next()) {
      if (pdu->is(wire::Opcode::login_request)) follow_login(*pdu);
      last_request_ = *pdu;
      if (rewrites) {
        const wire::Digests digests{.header = agreed_ && header_, .data = agreed_ && data_};
        const wire::Bytes whole = wire::encode(with_other_text(*pdu), digests);
        rewritten.insert(rewritten.end(), whole.begin(), whole.end());
      }
      pdu->data.clear();
      requests_.push_back(*pdu);
    }
    const auto sent = rewrites ? std::span<const std::uint8_t>(rewritten) : bytes;
    return send(target_, sent.data(), sent.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(sent.size()) ||
           target_gone_;
  }

  wire::Pdu with_other_text(wire::Pdu request) const {
    const bool text =
        request.is(wire::Opcode::login_request) || request.is(wire::Opcode::text_request);
    if (text && mutant_.rewrite)
      request.data = wire::encode_text(mutant_.rewrite(wire::parse_text(request.data).keys));
    return request;
  }

  bool answers() {
    std::uint8_t buffer[65536];
    const ssize_t count = recv(target_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    from_target_.feed(std::span(buffer, static_cast<std::size_t>(count)));
    while (auto pdu = from_target_.next()) {
      const wire::Digests digests{.header = agreed_ && header_,
                                  .data = agreed_ && data_,
                                  .spoil_header = mutant_.spoil_header_digest,
                                  .spoil_data = mutant_.spoil_data_digest};
      for (const wire::Pdu& changed : mutant_.mutate({*pdu, last_request_, requests_, number_})) {
        wire::Bytes bytes = wire::encode(changed, digests);
        if (mutant_.spoil_padding && changed.data.size() % 4 != 0)
          bytes[bytes.size() - (digests.data ? 5 : 1)] = 0x5a;
        if (marker_writer_) bytes = marker_writer_->mark(bytes);
        if (send(initiator_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return false;
        sent_bytes_ += bytes.size();
        if (mutant_.marking && changed.is(wire::Opcode::login_response)) follow_markers(changed);
      }
      ++number_;
      if (pdu->is(wire::Opcode::login_response)) follow_login(*pdu);
    }
    return true;
  }

  void follow_login(const wire::Pdu& pdu) {
    const auto parsed = wire::parse_text(pdu.data);
    if (const auto value = parsed.keys.value("HeaderDigest")) header_ = *value == "CRC32C";
    if (const auto value = parsed.keys.value("DataDigest")) data_ = *value == "CRC32C";
    if (!pdu.is(wire::Opcode::login_response) || pdu[field::status] != 0 || !pdu[field::transit] ||
        pdu[field::nsg] != 3)
      return;
    agreed_ = true;
    from_initiator_.expect_digests(header_, data_);
    from_target_.expect_digests(header_, data_);
  }

  void follow_markers(const wire::Pdu& response) {
    const auto keys = wire::parse_text(response.data).keys;
    const Marking& marking = *mutant_.marking;
    if (keys.value("IFMarker") == "Yes")
      marker_writer_.emplace(marking.interval_bytes, sent_bytes_, marking.skew);
    if (keys.value("OFMarker") == "Yes")
      marker_reader_.emplace(marking.interval_bytes, received_bytes_);
  }

  int initiator_;
  int target_;
  const Mutant& mutant_;
  bool keeps_open_;
  std::uint64_t sent_bytes_ = 0, received_bytes_ = 0;  ///< on the initiator's side
  std::optional<wire::MarkerWriter> marker_writer_;
  std::optional<wire::MarkerReader> marker_reader_;
  wire::PduReader from_initiator_, from_target_;
  wire::Pdu last_request_;
  std::vector<wire::Pdu> requests_;
  unsigned number_ = 0;
  bool target_gone_ = false;
  bool header_ = false, data_ = false, agreed_ = false;
};

}  // namespace

MutatingProxy::MutatingProxy(Endpoint target, Mutant mutant)
    : target_(std::move(target)),
      mutant_(std::move(mutant)),
      listener_([this](int fd) { serve(fd); }) {}

void MutatingProxy::serve(int initiator) {
  const int target = connect_to(target_);
  if (target < 0) return;
  send_at_once(initiator);
  Relay(initiator, target, mutant_, ++connections_).pump();
  close(target);
}

}  // namespace tsih::mutants
