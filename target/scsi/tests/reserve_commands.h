// The commands of reservations, for tests of several subjects.
#pragma once

#include "target/scsi/tests/bench.h"

namespace tsihd::scsi::test {

inline constexpr std::uint64_t kKeyA = 0xaaaa;
inline constexpr std::uint64_t kKeyB = 0xbbbb;
enum Type : std::uint8_t { WE = 1, EA = 3, WERO = 5, EARO = 6, WEAR = 7, EAAR = 8 };

/// PERSISTENT RESERVE OUT with any parameter list.
inline Sent& reserve_out(Initiator& who, std::uint8_t action, std::uint8_t type,
                         const Bytes& list) {
  Cdb cdb(10);
  cdb[0] = 0x5f;
  cdb[1] = action;
  cdb[2] = type;
  put32(&cdb[5], list.size());
  return who.send(cdb, list);
}
inline Bytes keys(std::uint64_t key, std::uint64_t action_key, std::uint8_t flags = 0) {
  Bytes list(24);
  put64(&list[0], key);
  put64(&list[8], action_key);
  list[20] = std::byte{flags};
  return list;
}
inline Sent& reserve_out(Initiator& who, std::uint8_t action, std::uint64_t key,
                         std::uint64_t action_key, std::uint8_t type = 0, std::uint8_t flags = 0) {
  return reserve_out(who, action, type, keys(key, action_key, flags));
}
inline Sent& enrol(Initiator& who, std::uint64_t key) { return reserve_out(who, 0, 0, key); }
inline Sent& reserve(Initiator& who, std::uint64_t key, std::uint8_t type) {
  return reserve_out(who, 1, key, 0, type);
}
inline Sent& release(Initiator& who, std::uint64_t key, std::uint8_t type) {
  return reserve_out(who, 2, key, 0, type);
}
inline Bytes reserve_in(Initiator& who, std::uint8_t action) {
  return who.send({0x5e, action, 0, 0, 0, 0, 0, 0xff, 0xff, 0}).data();
}
inline Sent& write(Initiator& who) { return who.send(cdb10(0x2a, 0, 1), Bytes(512)); }
inline Sent& read(Initiator& who) { return who.send(cdb10(0x28, 0, 1)); }

}  // namespace tsihd::scsi::test
