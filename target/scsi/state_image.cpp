#include "target/scsi/state_image.h"

#include <fmt/format.h>

#include <boost/crc.hpp>

namespace tsihd::scsi {
namespace {

constexpr std::string_view kChecksum = "crc32c 0x";

std::string unit_line(std::string_view serial) { return fmt::format("unit {}\n", serial); }

std::string checksum_line(std::string_view text) {
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(text.data(), text.size());
  return fmt::format("{}{:08x}\n", kChecksum, crc.checksum());
}

}  // namespace

std::string seal_image(std::string_view magic, std::string_view serial, std::string_view body) {
  const std::string text = fmt::format("{}\n{}{}", magic, unit_line(serial), body);
  return text + checksum_line(text);
}

Result<std::string_view> open_image(std::string_view image, std::string_view magic,
                                    std::string_view serial, std::string_view what) {
  const std::string first = fmt::format("{}\n", magic), second = unit_line(serial);
  if (!image.starts_with(first)) return fail(fmt::format("not a file of {}", what));
  const std::size_t end = image.rfind(kChecksum);
  if (end == image.npos || image.substr(end) != checksum_line(image.substr(0, end)))
    return fail("damaged: its checksum does not fit its content");
  if (!image.substr(first.size()).starts_with(second))
    return fail(fmt::format("of another unit, expected serial number {}", serial));
  const std::size_t begin = first.size() + second.size();
  return image.substr(begin, end - begin);
}

}  // namespace tsihd::scsi
