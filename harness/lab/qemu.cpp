#include "harness/lab/qemu.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace tsih::lab {
namespace {
using Json = nlohmann::json;

class Words {
 public:
  template <class... Args>
  void add(const char* option, fmt::format_string<Args...> format, Args&&... args) {
    words_.emplace_back(option);
    words_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  void add(const char* option) { words_.emplace_back(option); }
  std::vector<std::string> take() { return std::move(words_); }

 private:
  std::vector<std::string> words_;
};

std::string forward_mac(const GuestSpec& spec) {
  // Locally administered, apart from the 52:54:00 of the switch's NICs; nobody else sees it.
  return fmt::format("02:66:77:64:00:{:02x}", spec.forwards.size());
}

std::string kernel_command_line(const GuestSpec& spec, const Machine& machine) {
  // Quiet and without waits: a guest's boot is on the clock of every scenario. A panic ends QEMU
  // (panic=-1 with -no-reboot), so that the lab hears of it. no_timer_check: on a busy host an
  // emulated timer may come too late for the kernel's test of it, which then panics. The
  // rest (self-tests of ciphers, address randomization, audit, security modules) is work that a
  // guest of minutes has no use for. Not acpi=noirq, tempting as it is: it saves half a second, and
  // takes MSI-X and hot-plug with it.
  auto line = fmt::format(
      "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on "
      "tsc=reliable nowatchdog cryptomgr.notests nokaslr audit=0 lsm= "
      "ipv6.disable_ipv6=1 tsih.name={} tsih.initiator={}",
      spec.hostname, spec.initiator_name);
  for (const auto& nic : spec.nics)
    line += fmt::format(" tsih.nic={},{}{}{}", nic.mac, nic.device, nic.address.empty() ? "" : ",",
                        nic.address);
  if (!spec.forwards.empty())
    line += fmt::format(" tsih.nic={},fwd0,{}", forward_mac(spec), forward_address);
  if (!machine.binaries_image.empty()) line += " tsih.bin=1";
  if (!spec.kernel_args.empty()) line += " " + spec.kernel_args;
  return line;
}

/// Disks that all guests share and none writes: no locks, so that they can.
void add_image(Words& words, const std::string& id, const std::string& path) {
  const Json node = {{"driver", "raw"},
                     {"node-name", id},
                     {"read-only", true},
                     {"file", {{"driver", "file"}, {"filename", path}, {"locking", "off"}}}};
  words.add("-blockdev", "{}", node.dump());
  words.add("-device", "virtio-blk-pci,drive={}", id);
}

void add_nics(Words& words, const GuestSpec& spec, const Sockets& sockets) {
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    words.add("-netdev", "stream,id=net{},addr.type=fd,addr.str={}", i, sockets.nics[i]);
    words.add("-device", "virtio-net-pci,netdev=net{},id=nic{},mac={},romfile=", i, i,
              spec.nics[i].mac);
  }
  if (spec.forwards.empty()) return;
  std::string netdev = "user,id=forward,restrict=on";
  for (const auto& forward : spec.forwards)
    netdev += fmt::format(",hostfwd=tcp:127.0.0.1:{}-:{}", forward.host_port, forward.guest_port);
  words.add("-netdev", "{}", netdev);
  words.add("-device", "virtio-net-pci,netdev=forward,mac={},romfile=", forward_mac(spec));
}

}  // namespace

std::vector<std::string> qemu_arguments(const GuestSpec& spec, const Machine& machine,
                                        const Sockets& sockets) {
  Words words;
  words.add("qemu-system-x86_64");
  words.add("-nodefaults");
  words.add("-no-user-config");
  words.add("-no-reboot");
  words.add("-display", "none");
  words.add("-name", "{},process=tsih-{}", spec.name, spec.name);
  if (machine.accelerator == Accelerator::kvm) {
    words.add("-accel", "kvm");
    words.add("-cpu", "host");
  } else {
    words.add("-accel", "tcg,thread=multi");
    words.add("-cpu", "max");
  }
  words.add("-machine", "pc,usb=off,vmport=off,smbus=off");
  words.add("-m", "{}M", spec.memory_mib);
  words.add("-smp", "{}", spec.cpus);
  words.add("-kernel", "{}/vmlinuz", machine.image);
  words.add("-initrd", "{}/initramfs", machine.image);
  words.add("-append", "{}", kernel_command_line(spec, machine));

  words.add("-chardev", "file,id=serial,path=serial.log,append=on");
  words.add("-serial", "chardev:serial");
  words.add("-chardev", "socket,id=monitor,fd={}", sockets.monitor);
  words.add("-mon", "chardev=monitor,mode=control");
  words.add("-device", "virtio-serial-pci,max_ports=4");
  words.add("-chardev", "socket,id=console,path=console.sock,server=on,wait=off");
  words.add("-device", "virtconsole,chardev=console");
  words.add("-chardev", "socket,id=agent,fd={}", sockets.agent);
  words.add("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0");

  add_image(words, "root", machine.image + "/root.erofs");
  if (!machine.binaries_image.empty()) add_image(words, "binaries", machine.binaries_image);
  bool has_scsi = false;
  for (const auto& disk : spec.disks) {
    if (disk.bus == DiskBus::virtio_scsi && !has_scsi) {
      words.add("-device", "virtio-scsi-pci,id=scsi0");
      has_scsi = true;
    }
    words.add("-blockdev", "{}", blockdev_of(disk).dump());
    words.add("-device", "{}", device_of(disk).dump());
  }
  add_nics(words, spec, sockets);
  return words.take();
}

}  // namespace tsih::lab
