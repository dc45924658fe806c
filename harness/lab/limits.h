// Every limit of the lab, in one place. What is beyond a limit is refused or dropped and counted;
// nothing a guest or a driver does makes the lab grow without end. PROTOCOL.md states them too.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tsih::lab::limits {

inline constexpr std::size_t guests = 16;
inline constexpr std::size_t nics_per_guest = 4;
inline constexpr std::size_t disks_per_guest = 16;
inline constexpr std::size_t forwards_per_guest = 8;
inline constexpr std::size_t links = 64;
inline constexpr std::size_t execs_per_guest = 64;
inline constexpr std::size_t name_chars = 31;
/// What virtio-blk carries of a serial; a disk's name is its serial.
inline constexpr std::size_t disk_name_chars = 20;

inline constexpr std::size_t frame_min_bytes = 14;
inline constexpr std::size_t frame_max_bytes = 65550;
inline constexpr std::size_t mac_table_entries = 1024;
inline constexpr std::size_t link_queue_bytes = 4u << 20;
inline constexpr std::uint32_t delay_max_ms = 60'000;

inline constexpr std::size_t control_line_bytes = 8u << 20;
inline constexpr std::size_t control_output_bytes = 64u << 20;
inline constexpr std::size_t requests_under_way = 256;
inline constexpr std::size_t observers = 4;

inline constexpr std::size_t exec_output_bytes = 4u << 20;
inline constexpr std::size_t file_read_bytes = 4u << 20;
/// Of one line from QEMU or the agent: an exec's output in base64, both streams, with room.
inline constexpr std::size_t agent_line_bytes = 48u << 20;
inline constexpr std::size_t identity_bytes = 4u << 20;

inline constexpr std::size_t captures = 8;
inline constexpr std::uint64_t capture_file_bytes = 4ull << 30;
inline constexpr std::size_t comment_bytes = 4096;

inline constexpr std::uint64_t disk_max_bytes = 1ull << 40;
inline constexpr std::chrono::milliseconds timeout_max{3'600'000};

}  // namespace tsih::lab::limits
