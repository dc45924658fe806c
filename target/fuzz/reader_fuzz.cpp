// The PDU reader: however a stream is cut into reads, the same PDUs come out, and they are what an
// independent walk over the bytes finds.
//
// Input: a byte of choices (digests, whether the harness puts right digests in), a byte for the
// longest data segment, a byte for the size of the pieces, then the stream.
#include <cstring>
#include <vector>

#include "target/fuzz/script.h"
#include "target/wire/reader.h"

namespace {

using tsihd::fuzz::require;
using tsihd::wire::Pdu;
using tsihd::wire::PduReader;
using Bytes = std::vector<std::byte>;

struct Settings {
  tsihd::wire::Digests digests;
  std::uint32_t max_data_segment_bytes;
  std::size_t piece_bytes;
};

struct Outcome {
  PduReader::Event event;
  Bytes header, data;
  bool data_digest_ok = true;
  bool operator==(const Outcome&) const = default;
};

void configure(PduReader& reader, const Settings& settings) {
  reader.set_digests(settings.digests);
  reader.set_max_data_segment_bytes(settings.max_data_segment_bytes);
}

/// All PDUs that are there now; false when the stream is at its end.
bool drain(PduReader& reader, std::vector<Outcome>& outcomes) {
  for (;;) {
    Pdu pdu;
    const auto event = reader.next(pdu);
    if (event == PduReader::Event::need_more) return true;
    outcomes.push_back({event,
                        {pdu.header.begin(), pdu.header.end()},
                        {pdu.data.begin(), pdu.data.end()},
                        pdu.data_digest_ok});
    if (event != PduReader::Event::pdu) return false;
  }
}

std::vector<Outcome> at_once(const Settings& settings, std::span<const std::byte> stream) {
  PduReader reader;
  configure(reader, settings);
  std::vector<Outcome> outcomes;
  reader.feed(stream);
  drain(reader, outcomes);
  return outcomes;
}

/// As the pump reads: first what the PDU under way has room for, then the rest; each piece in
/// memory of its own that is gone afterwards.
std::vector<Outcome> in_pieces(const Settings& settings, std::span<const std::byte> stream) {
  PduReader reader;
  configure(reader, settings);
  const std::size_t most_kept_bytes = tsihd::wire::kBhsBytes + tsihd::wire::kMaxAhsBytes +
                                      settings.max_data_segment_bytes + 3 +
                                      2 * tsihd::wire::kDigestBytes;
  std::vector<Outcome> outcomes;
  while (!stream.empty()) {
    const auto piece = stream.first(std::min(settings.piece_bytes, stream.size()));
    stream = stream.subspan(piece.size());
    const auto space = reader.space();
    require(space.size() <= most_kept_bytes, "no memory is taken for a length that did not pass");
    const std::size_t direct = std::min(space.size(), piece.size());
    if (direct > 0) {
      std::memcpy(space.data(), piece.data(), direct);
      reader.commit(direct);
    }
    const Bytes rest(piece.begin() + static_cast<std::ptrdiff_t>(direct), piece.end());
    reader.feed(rest);
    if (!drain(reader, outcomes)) break;
  }
  return outcomes;
}

/// Bit by bit, with nothing of wire/crc32c.h.
void store_crc32c(std::byte* at, std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::byte>(crc >> 8 * i);
}

/// Puts the right digests where they belong; how many whole PDUs there are.
std::size_t repair_digests(const Settings& settings, std::span<std::byte> stream) {
  const std::size_t header_digest_bytes = settings.digests.header ? 4 : 0;
  const auto value = [&](std::size_t at) { return std::to_integer<std::size_t>(stream[at]); };
  for (std::size_t pdus = 0;; ++pdus) {
    if (stream.size() < 48) return pdus;
    const std::size_t header_bytes = 48 + 4 * value(4);
    const std::size_t data_bytes = value(5) << 16 | value(6) << 8 | value(7);
    const std::size_t padded_bytes = (data_bytes + 3) / 4 * 4;
    if (data_bytes > settings.max_data_segment_bytes) return pdus;
    const std::size_t data_at = header_bytes + header_digest_bytes;
    const std::size_t whole_bytes =
        data_at + padded_bytes + (settings.digests.data && data_bytes > 0 ? 4 : 0);
    if (stream.size() < whole_bytes) return pdus;
    if (settings.digests.header) store_crc32c(&stream[header_bytes], stream.first(header_bytes));
    if (settings.digests.data && data_bytes > 0)
      store_crc32c(&stream[data_at + padded_bytes], stream.subspan(data_at, padded_bytes));
    stream = stream.subspan(whole_bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  tsihd::fuzz::Script script(data, bytes);
  const std::uint8_t choices = script.byte();
  const Settings settings{.digests = {(choices & 1) != 0, (choices & 2) != 0},
                          .max_data_segment_bytes = 64u + 32u * script.byte(),
                          .piece_bytes = std::size_t{1} + script.byte()};
  const auto given = script.rest();
  Bytes stream(given.begin(), given.end());
  const bool repaired = (choices & 4) != 0;
  const std::size_t whole_pdus = repaired ? repair_digests(settings, stream) : 0;

  const auto outcomes = at_once(settings, stream);
  require(outcomes == in_pieces(settings, stream), "the cuts of a stream change nothing");
  if (!repaired) return 0;
  std::size_t good = 0;
  for (const Outcome& outcome : outcomes)
    if (outcome.event == PduReader::Event::pdu) good += outcome.data_digest_ok;
  require(good == whole_pdus, "every whole PDU with right digests comes out");
  return 0;
}
