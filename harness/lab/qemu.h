// The command line of a guest. Pure: what the guest is goes in, words come out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/lab/disks.h"

namespace tsih::lab {

enum class Accelerator { kvm, tcg };

struct Nic {
  std::string device;  // its name in the guest: eth0, ...
  std::string link;
  std::string address;  // ADDRESS/LENGTH; empty: down
  std::string mac;
};

struct Forward {
  std::uint16_t guest_port = 0;
  std::uint16_t host_port = 0;
};

struct GuestSpec {
  std::string name;
  std::string hostname;
  std::uint64_t memory_mib = 256;
  std::uint64_t cpus = 1;
  std::vector<Nic> nics;
  std::vector<Disk> disks;
  std::vector<Forward> forwards;
  std::string initiator_name;
  std::map<std::string, std::string> files;
  std::string kernel_args;
  std::chrono::milliseconds boot_timeout{60000};
};

/// What the lab gives every guest.
struct Machine {
  Accelerator accelerator = Accelerator::tcg;
  std::string image;           // folder with vmlinuz, initramfs, root.erofs
  std::string binaries_image;  // erofs file, may be empty
};

/// The guest's ends of the lab's socket pairs.
struct Sockets {
  int monitor = -1;
  int agent = -1;
  std::vector<int> nics;
};

std::vector<std::string> qemu_arguments(const GuestSpec& spec, const Machine& machine,
                                        const Sockets& sockets);

/// The NIC that forwarded ports go to is none of the switch's; this is its address in the guest.
inline constexpr const char* forward_address = "10.0.2.15/24";

}  // namespace tsih::lab
