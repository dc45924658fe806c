#include "target/backstore/scsi_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "target/backstore/fd.h"

namespace tsihd::backstore {
namespace {

constexpr std::uint32_t kPageBytes = 4096;

/// What became of the way to the device (the kernel's host bytes), where the device did not answer.
int error_of_host_status(unsigned host_status) {
  constexpr unsigned kNoConnect = 0x01, kTimeOut = 0x03, kBadTarget = 0x04;
  if (host_status == kTimeOut) return ETIMEDOUT;
  if (host_status == kNoConnect || host_status == kBadTarget) return ENODEV;
  return EIO;
}

class SgDevice final : public ScsiDevice {
 public:
  SgDevice(Fd fd, std::uint32_t max_transfer_bytes)
      : fd_(std::move(fd)), max_transfer_bytes_(max_transfer_bytes) {}

  int execute(ScsiExchange& exchange, std::span<std::byte> data, unsigned timeout_ms) override {
    using Direction = ScsiExchange::Direction;
    sg_io_hdr header{};
    header.interface_id = 'S';
    header.dxfer_direction = data.empty()                                 ? SG_DXFER_NONE
                             : exchange.direction == Direction::to_device ? SG_DXFER_TO_DEV
                                                                          : SG_DXFER_FROM_DEV;
    header.cmd_len = exchange.cdb_bytes;
    header.cmdp = exchange.cdb.data();
    header.mx_sb_len = static_cast<unsigned char>(exchange.sense.size());
    header.sbp = reinterpret_cast<unsigned char*>(exchange.sense.data());
    header.dxfer_len = static_cast<unsigned>(data.size());
    header.dxferp = data.data();
    header.timeout = timeout_ms;
    if (::ioctl(fd_.get(), SG_IO, &header) != 0) return errno;
    exchange.status = header.status;
    exchange.sense_bytes = std::min(header.sb_len_wr, header.mx_sb_len);
    const auto residual_bytes =
        static_cast<std::size_t>(std::clamp<long>(header.resid, 0, static_cast<long>(data.size())));
    exchange.transferred_bytes = static_cast<std::uint32_t>(data.size() - residual_bytes);
    // Newer kernels set a host byte beside the device's own bad status: the status says more.
    if (header.status != 0 || header.host_status == 0) return 0;
    return error_of_host_status(header.host_status);
  }

  std::uint32_t max_transfer_bytes() const override { return max_transfer_bytes_; }

 private:
  const Fd fd_;
  const std::uint32_t max_transfer_bytes_;
};

bool is_hctl(const std::string& name) {
  return std::ranges::count(name, ':') == 3 &&
         name.find_first_not_of("0123456789:") == std::string::npos;
}

/// The only entry of a folder below a device in sysfs: "sda" of .../0:0:0:0/block.
std::optional<std::string> entry_of(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& it : std::filesystem::directory_iterator(folder, error))
    return it.path().filename().string();
  return std::nullopt;
}

Result<std::string> node_of(const std::string& name) {
  if (!is_hctl(name)) return name;
  const std::filesystem::path device = "/sys/bus/scsi/devices/" + name;
  std::error_code error;
  if (!std::filesystem::exists(device, error))
    return fail(fmt::format("{}: no such SCSI device; `lsscsi` lists those there are", name));
  for (const char* kind : {"scsi_generic", "block"})
    if (const auto node = entry_of(device / kind)) return "/dev/" + *node;
  return fail(fmt::format("{}: the device has no node; load the sg module: modprobe sg", name));
}

std::uint64_t number_in(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::uint64_t value = 0;
  return stream >> value ? value : 0;
}

/// The folder of the block layer's limits; empty for a device that is no disk (a tape, a changer).
std::filesystem::path queue_folder(const struct stat& info) {
  const bool block = S_ISBLK(info.st_mode);
  const std::filesystem::path node = fmt::format("/sys/dev/{}/{}:{}", block ? "block" : "char",
                                                 major(info.st_rdev), minor(info.st_rdev));
  if (block) return node / "queue";
  const auto disk = entry_of(node / "device/block");
  return disk ? node / "device/block" / *disk / "queue" : std::filesystem::path();
}

/// A page of a buffer is a segment of its own, for all that the adapter knows; one more where the
/// buffer does not begin with a page.
std::uint32_t max_transfer_of(const struct stat& info) {
  constexpr std::uint64_t kWhereNothingIsSaid = 128u << 10;
  const std::filesystem::path folder = queue_folder(info);
  const std::uint64_t bytes = folder.empty() ? 0 : number_in(folder / "max_hw_sectors_kb") * 1024;
  const std::uint64_t segments = folder.empty() ? 0 : number_in(folder / "max_segments");
  if (bytes == 0 || segments < 2) return kWhereNothingIsSaid;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>({bytes, (segments - 1) * kPageBytes, UINT32_MAX}));
}

std::string open_failure(const std::string& path, int error) {
  if (error == ENOENT) return fmt::format("{}: no such device; check the path", path);
  if (error == EACCES || error == EPERM)
    return fmt::format("{}: permission denied; pscsi wants a user who may send SCSI commands: root",
                       path);
  if (error == EBUSY)
    return fmt::format("{}: the device is in use (mounted?); free it first", path);
  return fmt::format("{}: cannot open: {}", path, std::strerror(error));
}

}  // namespace

bool is_deferred_error(const ScsiExchange& exchange) {
  constexpr unsigned kDeferredFixed = 0x71, kDeferredDescriptor = 0x73;
  if (!sense_code(exchange)) return false;
  const unsigned response = static_cast<std::uint8_t>(exchange.sense[0]) & 0x7f;
  return response == kDeferredFixed || response == kDeferredDescriptor;
}

std::optional<SenseCode> sense_code(const ScsiExchange& exchange) {
  constexpr std::uint8_t kCheckCondition = 0x02;
  if (exchange.status != kCheckCondition || exchange.sense_bytes < 4) return std::nullopt;
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(exchange.sense[i]); };
  const bool descriptor = (at(0) & 0x7e) == 0x72;
  if (descriptor) return SenseCode{static_cast<std::uint8_t>(at(1) & 0x0f), at(2) * 256u + at(3)};
  if (exchange.sense_bytes < 14) return std::nullopt;
  return SenseCode{static_cast<std::uint8_t>(at(2) & 0x0f), at(12) * 256u + at(13)};
}

Result<OpenedScsiDevice> open_scsi_device(const std::string& name, bool read_only) {
  auto node = node_of(name);
  if (!node) return std::unexpected(node.error());
  Fd fd(::open(node->c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == EROFS && !read_only) return open_scsi_device(name, true);
  if (!fd) return fail(open_failure(*node, errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    return fail(fmt::format("{}: {}", *node, std::strerror(errno)));
  int version = 0;
  if (!(S_ISBLK(info.st_mode) || S_ISCHR(info.st_mode)) ||
      ::ioctl(fd.get(), SG_GET_VERSION_NUM, &version) != 0 || version < 30000)
    return fail(fmt::format("{}: not a SCSI device; serve it as block or fileio", *node));
  int device_read_only = 0;
  if (S_ISBLK(info.st_mode)) ::ioctl(fd.get(), BLKROGET, &device_read_only);
  const std::uint32_t most = max_transfer_of(info);
  return OpenedScsiDevice{std::make_unique<SgDevice>(std::move(fd), most),
                          read_only || device_read_only != 0};
}

}  // namespace tsihd::backstore
