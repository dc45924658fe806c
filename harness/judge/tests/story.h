// A conversation of an initiator and a target as a capture in memory: every PDU has a label, and a
// test changes the PDU of one label on its way.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "harness/judge/judge.h"
#include "harness/wire/text.h"

namespace tsih::judge::testing {

using wire::Bytes;

/// Frames of TCP over Ethernet and IPv4 in a pcap file.
class Scribe {
 public:
  Scribe();
  void open(std::uint16_t client_port);
  void send(std::uint16_t client_port, From from, const Bytes& bytes, bool seen = true);
  void close(std::uint16_t client_port, From by);
  void shut(std::uint16_t client_port, From by);   ///< a FIN of one side only
  void reset(std::uint16_t client_port, From by);  ///< an RST: nothing of it is seen any more
  void wait(std::uint32_t seconds) { seconds_ += seconds; }
  const Bytes& file() const { return file_; }
  std::uint16_t target_port = 3260;
  std::size_t snap_bytes = 65535;

 private:
  void frame(std::uint16_t client_port, From from, const Bytes& bytes, std::uint8_t flags,
             bool seen = true);
  struct Numbers {
    std::uint32_t seq[2] = {1000, 0xfffffff0};  // the target's wrap around within the test
  };
  std::map<std::uint16_t, Numbers> numbers_;
  Bytes file_;
  std::uint32_t seconds_ = 0;
};

/// The names of the rules that were broken, with a space between.
std::string broken_rules(const Report& report);

/// The names in the tables of other tests, with spaces between and in front.
std::string broken_by_exchange_test();
std::string broken_by_keys_test();
std::string broken_by_recovery_test();
std::string broken_by_again_test();
std::string broken_by_markers_test();

using Change = std::function<void(wire::Pdu&)>;

/// One session that does a little of everything, by the RFC, but for what a test changes.
class Story {
 public:
  std::map<std::string, Change> changes;        ///< by the label of a PDU
  std::map<std::string, wire::Digests> spoils;  ///< which digest of it is wrong
  std::set<std::string> left_out;               ///< PDUs that are not sent at all
  std::set<std::string> unseen;                 ///< sent, but not in the capture
  std::map<std::string, wire::Pdu> added;       ///< sent behind the PDU of this label by its side
  wire::TextKeys offered, answered;             ///< operational keys beside the usual ones
  bool digests = false;
  bool discovery = false;
  Scribe scribe;

  /// Tells it all and gives the names of the rules that were broken, with a space between.
  std::string broken();
  Report judge();
  void tell();

 private:
  void say(const std::string& label, From from, wire::Pdu pdu);
  wire::Pdu request(Opcode opcode, std::uint32_t tag, bool immediate = false);
  wire::Pdu response(Opcode opcode, std::uint32_t tag);
  wire::Pdu data_in(std::uint32_t tag, std::uint32_t number, std::uint32_t offset,
                    std::size_t bytes);
  wire::Pdu data_out(std::uint32_t tag, std::uint32_t transfer_tag, std::uint32_t number,
                     std::uint32_t offset, std::size_t bytes, bool last);
  void log_in();
  void read();
  void read_short();
  void write();
  void write_by_r2t();
  void ping();
  void fail();
  void manage();
  void ask();
  void log_out();

  std::uint32_t cmd_sn_ = 0xfffffffd;  // both wrap around within the test
  std::uint32_t stat_sn_ = 0xfffffffb;
  bool with_digests_ = false;
};

}  // namespace tsih::judge::testing
