// Captures, read back by libpcap's own reader and, for what it does not show, byte for byte.
#include "harness/lab/capture.h"

#include <fmt/format.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/lab/failure.h"
#include "harness/lab/limits.h"

namespace {
using namespace tsih::lab;

struct Folder {
  Folder() {
    char name[] = "/tmp/tsih-capture-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

struct Record {
  long seconds;
  long nanoseconds;
  Bytes bytes;
};

std::vector<Record> read_back(const std::string& path) {
  char error[PCAP_ERRBUF_SIZE] = {};
  auto* file =
      ::pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error);
  BOOST_REQUIRE_MESSAGE(file != nullptr, error);
  std::vector<Record> records;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  int status = 0;
  while ((status = ::pcap_next_ex(file, &header, &data)) == 1)
    records.push_back({header->ts.tv_sec, header->ts.tv_usec, Bytes(data, data + header->caplen)});
  BOOST_TEST_INFO(::pcap_geterr(file));
  BOOST_TEST(status == PCAP_ERROR_BREAK);
  ::pcap_close(file);
  return records;
}

constexpr UnixNanoseconds some_time = 1'763'800'000'123'456'789;

}  // namespace

BOOST_FIXTURE_TEST_CASE(libpcap_reads_frames_and_marks_in_order, Folder) {
  const Bytes odd(61, 0x11);
  const Bytes even(64, 0x22);
  {
    CaptureFile capture(path + "/c.pcapng", {});
    capture.packet("a", some_time, odd, "");
    capture.mark(some_time + 1, "link a is cut");
    capture.packet("b", some_time + 2, even, "lost: a is cut");
    BOOST_TEST(capture.frames() == 2u);
  }
  const auto records = read_back(path + "/c.pcapng");
  BOOST_REQUIRE(records.size() == 3u);
  BOOST_TEST(records[0].bytes == odd);
  BOOST_TEST(records[0].seconds == 1'763'800'000);
  BOOST_TEST(records[0].nanoseconds == 123'456'789);
  const std::string mark(records[1].bytes.begin() + 14, records[1].bytes.begin() + 14 + 13);
  BOOST_TEST(mark == "link a is cut");
  BOOST_TEST(records[1].bytes[12] == 0x88);
  BOOST_TEST(records[1].bytes[13] == 0xB5);
  BOOST_TEST(records[2].bytes == even);
  BOOST_TEST(records[2].nanoseconds == 123'456'791);
}

BOOST_FIXTURE_TEST_CASE(only_the_links_that_were_asked_for, Folder) {
  {
    CaptureFile capture(path + "/c.pcapng", {"b"});
    capture.packet("a", some_time, Bytes(60, 1), "");
    capture.packet("b", some_time, Bytes(60, 2), "");
  }
  const auto records = read_back(path + "/c.pcapng");
  BOOST_REQUIRE(records.size() == 1u);
  BOOST_TEST(records[0].bytes[0] == 2);
}

BOOST_FIXTURE_TEST_CASE(flush_is_enough_for_a_reader, Folder) {
  CaptureFile capture(path + "/c.pcapng", {});
  capture.packet("a", some_time, Bytes(60, 1), "");
  capture.flush();
  BOOST_TEST(read_back(path + "/c.pcapng").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_packet_block_byte_for_byte) {
  PcapngWriter writer;
  const auto link = writer.interface("x");
  BOOST_TEST(link == 1u);  // 0 is that of the marks
  writer.buffer().clear();
  writer.packet(link, 0x0102030405060708, Direction::from_guest, Bytes{1, 2, 3}, "hi");
  const Bytes expected = {6, 0, 0, 0, 56,  0,   0, 0,  // an enhanced packet block of 56 bytes
                          1, 0, 0, 0,                  // interface
                          4, 3, 2, 1, 8,   7,   6, 5,  // time: high word, low word
                          3, 0, 0, 0, 3,   0,   0, 0, 1, 2, 3, 0,  // lengths, the frame, padding
                          2, 0, 4, 0, 1,   0,   0, 0,              // flags: inbound
                          1, 0, 2, 0, 'h', 'i', 0, 0,              // comment
                          0, 0, 0, 0, 56,  0,   0, 0};
  BOOST_TEST(writer.buffer() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_long_comment_is_cut) {
  PcapngWriter writer;
  const auto before = writer.buffer().size();
  writer.mark(some_time, std::string(1u << 20, 'x'));
  BOOST_TEST(writer.buffer().size() - before < 2 * limits::comment_bytes + 200);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_made_is_named) {
  BOOST_CHECK_EXCEPTION(CaptureFile("/nowhere/c.pcapng", {}), Failure, [](const Failure& failure) {
    return failure.code() == "host" &&
           std::string(failure.what()).find("/nowhere/c.pcapng") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_full_disk_ends_the_capture_with_its_reason) {
  CaptureFile capture("/dev/full", {});
  BOOST_TEST(capture.trouble().find("No space left") != std::string::npos);
  capture.packet("a", some_time, Bytes(60, 1), "");
  BOOST_TEST(capture.frames() == 0u);
}
