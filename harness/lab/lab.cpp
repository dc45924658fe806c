#include "harness/lab/lab.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/lab/accelerator.h"
#include "harness/lab/arguments.h"
#include "harness/lab/failure.h"
#include "harness/lab/limits.h"
#include "harness/lab/run.h"

namespace tsih::lab {
namespace asio = boost::asio;
namespace fs = std::filesystem;
using Json = nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds pack_timeout{60'000};
constexpr std::uint64_t default_boot_timeout_ms = 60'000;

/// What makes a machine itself: a clone takes it along.
const std::array<const char*, 7> identity_paths = {
    "/etc/iscsi", "/var/lib/iscsi", "/etc/machine-id",    "/etc/hostname",
    "/etc/lvm",   "/etc/multipath", "/etc/multipath.conf"};

void make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw Failure("host", fmt::format("cannot make the folder {}: {}", path, error.message()));
}

}  // namespace

Lab::Lab(const asio::any_io_executor& executor, LabOptions options, OnEvent on_event)
    : executor_(executor),
      options_(std::move(options)),
      on_event_(std::move(on_event)),
      wire_(executor, [this](Json event) { on_event_(std::move(event)); }) {}

asio::awaitable<void> Lab::prepare() {
  make_directory(options_.run_dir);
  for (const char* part : {"vmlinuz", "initramfs", "root.erofs"})
    if (::access((options_.image + "/" + part).c_str(), R_OK) != 0)
      throw Failure(
          "host", fmt::format("no guest image: {}/{} is missing; images/build makes one and prints "
                              "its folder, --image or TSIH_IMAGE names it",
                              options_.image, part));
  machine_.image = options_.image;
  const auto verdict = co_await decide_accelerator(executor_, options_.accelerator, options_.image,
                                                   options_.run_dir);
  machine_.accelerator = verdict.accelerator;
  accelerator_reason_ = verdict.reason;
  if (!options_.binaries.empty()) co_await pack_binaries();
  if (options_.capture) wire_.start_capture("wire", options_.run_dir + "/wire.pcapng", {});
}

asio::awaitable<void> Lab::pack_binaries() {
  const auto packed = options_.run_dir + "/bin.erofs";
  Launch launch;
  launch.argv = {"mkfs.erofs", "--quiet", "-x-1", packed, options_.binaries};
  launch.directory = options_.run_dir;
  launch.log = options_.run_dir + "/bin.log";
  const auto ended = co_await run_to_end(executor_, launch, pack_timeout);
  if (ended != "exit status 0")
    throw Failure(
        "host", fmt::format("cannot pack {} for the guests: mkfs.erofs: {}; its words are in {}",
                            options_.binaries, ended.value_or("not done in a minute"), launch.log));
  machine_.binaries_image = packed;
}

std::string Lab::make_mac() {
  const auto number = next_mac_++;
  return fmt::format("52:54:00:77:{:02x}:{:02x}", number >> 8 & 0xFF, number & 0xFF);
}

std::string Lab::free_address() {
  for (; next_host_ < 250; ++next_host_) {
    auto address = fmt::format("10.77.0.{}/24", next_host_);
    if (!addresses_.contains(address)) return address;
  }
  throw Failure("limit", "10.77.0.11 to .249 are all given; name addresses of your own in 'nics'");
}

Nic Lab::read_nic(const Json& wanted, const std::string& default_link, std::size_t index) {
  Arguments arguments(wanted, "nics");
  Nic nic;
  nic.device = fmt::format("eth{}", index);
  nic.link = arguments.identifier("link", limits::name_chars, default_link);
  if (nic.link == "tsih")
    arguments.refuse("link", "a name other than 'tsih', which is that of marks");
  const bool is_down = arguments.has("address") && wanted.at("address").is_null();
  const auto address = arguments.optional_text("address");
  if (address && (address->find('/') == std::string::npos ||
                  address->find_first_not_of("0123456789abcdefABCDEF.:/") != std::string::npos))
    arguments.refuse("address", "ADDRESS/LENGTH, as 10.77.0.11/24");
  if (!is_down) nic.address = address ? *address : free_address();
  const auto mac = arguments.optional_text("mac");
  if (mac &&
      (mac->size() != 17 || mac->find_first_not_of("0123456789abcdef:") != std::string::npos))
    arguments.refuse("mac", "a MAC address in lower case, as 52:54:00:77:00:0b");
  nic.mac = mac ? *mac : make_mac();
  arguments.finish();
  if (wire_.plugged(nic.link))
    throw Failure("exists", fmt::format("link '{}' is in use", nic.link));
  addresses_.insert(nic.address);
  return nic;
}

std::vector<Nic> Lab::read_nics(const Json& wanted, const std::string& guest) {
  std::vector<Nic> nics;
  if (wanted.is_null()) {
    nics.push_back(read_nic(Json::object(), guest, 0));
    return nics;
  }
  if (!wanted.is_array() || wanted.size() > limits::nics_per_guest)
    throw Failure("bad_request",
                  fmt::format("'nics' must be a list of at most {} NICs", limits::nics_per_guest));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    nics.push_back(read_nic(wanted[i], i == 0 ? guest : fmt::format("{}-{}", guest, i), i));
    for (std::size_t k = 0; k < i; ++k)
      if (nics[k].link == nics[i].link)
        throw Failure("bad_request", fmt::format("two NICs on the one link '{}'", nics[i].link));
  }
  return nics;
}

namespace {

std::vector<Forward> read_forwards(const Json& wanted) {
  std::vector<Forward> forwards;
  if (wanted.is_null()) return forwards;
  if (!wanted.is_array() || wanted.size() > limits::forwards_per_guest)
    throw Failure("bad_request", fmt::format("'forward_tcp' must be a list of at most {}",
                                             limits::forwards_per_guest));
  for (const auto& one : wanted) {
    Arguments arguments(one, "forward_tcp");
    Forward forward;
    forward.guest_port = static_cast<std::uint16_t>(arguments.integer("guest_port", 1, 65535));
    forward.host_port = static_cast<std::uint16_t>(arguments.integer("host_port", 0, 65535, 0));
    arguments.finish();
    forwards.push_back(forward);
  }
  return forwards;
}

std::vector<Disk> read_disks(const Json& wanted, const std::string& directory) {
  std::vector<Disk> disks;
  if (wanted.is_null()) return disks;
  if (!wanted.is_array() || wanted.size() > limits::disks_per_guest)
    throw Failure("bad_request",
                  fmt::format("'disks' must be a list of at most {}", limits::disks_per_guest));
  for (const auto& one : wanted) {
    disks.push_back(make_disk(one, directory));
    for (std::size_t i = 0; i + 1 < disks.size(); ++i)
      if (disks[i].name == disks.back().name)
        throw Failure("bad_request", fmt::format("two disks named '{}'", disks.back().name));
  }
  return disks;
}

std::map<std::string, std::string> read_files(const Json& wanted) {
  std::map<std::string, std::string> files;
  if (wanted.is_null()) return files;
  if (!wanted.is_object())
    throw Failure("bad_request", "'files' must be an object of paths and texts");
  for (const auto& [path, text] : wanted.items()) {
    if (path.empty() || path.front() != '/' || !text.is_string())
      throw Failure(
          "bad_request",
          fmt::format("'files': an absolute path and a text are needed; '{}' came", path));
    files.emplace(path, text.get<std::string>());
  }
  return files;
}

/// One word of the kernel's command line.
void check_word(const std::string& what, const std::string& text, std::size_t max_chars) {
  if (text.empty() || text.size() > max_chars ||
      std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~' || c == '"'; }))
    throw Failure("bad_request",
                  fmt::format("'{}' must have 1 to {} characters and no blanks", what, max_chars));
}

}  // namespace

GuestSpec Lab::read_spec(const Json& wanted, const std::string& directory) {
  Arguments arguments(wanted, "guest.start");
  GuestSpec spec;
  spec.name = arguments.identifier("name", limits::name_chars);
  spec.hostname = arguments.identifier("hostname", limits::name_chars, spec.name);
  spec.memory_mib = arguments.integer("memory_mib", 128, 4096, 256);
  spec.cpus = arguments.integer("cpus", 1, 4, 1);
  spec.initiator_name = arguments.text("initiator_name", "iqn.2026-01.org.tsih:" + spec.hostname);
  check_word("initiator_name", spec.initiator_name, 223);
  spec.kernel_args = arguments.text("kernel_args", "");
  if (spec.kernel_args.size() > 500) arguments.refuse("kernel_args", "at most 500 characters");
  spec.boot_timeout = arguments.timeout("boot_timeout_ms", default_boot_timeout_ms);
  const auto nics = arguments.any("nics");
  const auto disks = arguments.any("disks");
  spec.forwards = read_forwards(arguments.any("forward_tcp"));
  spec.files = read_files(arguments.any("files"));
  arguments.flag("wait", true);
  arguments.finish();
  // Last, because these leave something behind: addresses given, files made.
  spec.nics = read_nics(nics, spec.name);
  make_directory(directory);
  spec.disks = read_disks(disks, directory);
  return spec;
}

asio::awaitable<std::shared_ptr<Guest>> Lab::start_guest(Json arguments, bool wait) {
  const auto name = Arguments(arguments, "guest.start").identifier("name", limits::name_chars);
  if (guests_.contains(name))
    throw Failure("exists", fmt::format("a guest named '{}' runs already", name));
  if (guests_.size() >= limits::guests)
    throw Failure("limit", fmt::format("{} guests run already", limits::guests));
  const auto directory = fmt::format("{}/{}", options_.run_dir, name);
  auto spec = read_spec(arguments, directory);
  const auto guest = std::make_shared<Guest>(executor_, wire_, std::move(spec), directory,
                                             [this, name](Json event) {
                                               if (event["event"] == "guest.exit")
                                                 guests_.erase(name);
                                               on_event_(std::move(event));
                                             });
  guests_.emplace(name, guest);
  guest->launch(machine_);
  if (wait) {
    co_await guest->boot();
  } else {
    asio::co_spawn(
        executor_,
        [](std::shared_ptr<Guest> booting) -> asio::awaitable<void> {
          try {
            co_await booting->boot();
          } catch (const Failure&) {
            // Told by the event guest.exit.
          }
        }(guest),
        asio::detached);
  }
  co_return guest;
}

asio::awaitable<std::shared_ptr<Guest>> Lab::clone_guest(Json wanted) {
  Arguments arguments(wanted, "guest.clone");
  const auto source_name = arguments.text("guest");
  const auto name = arguments.identifier("as", limits::name_chars);
  const auto more_paths = arguments.texts("paths");
  const auto source = guest(source_name);

  std::vector<std::string> paths(identity_paths.begin(), identity_paths.end());
  paths.insert(paths.end(), more_paths.begin(), more_paths.end());
  for (const auto& [path, text] : source->spec().files) paths.push_back(path);
  for (const auto& path : paths)
    if (path.empty() || path.front() != '/') arguments.refuse("paths", "a list of absolute paths");
  auto archive = co_await source->archive_files(std::move(paths));

  const auto& original = source->spec();
  Json start = {{"name", name},
                {"hostname", original.hostname},
                {"memory_mib", original.memory_mib},
                {"cpus", original.cpus},
                {"initiator_name", original.initiator_name},
                {"kernel_args", original.kernel_args}};
  for (const auto& [key, value] : wanted.items())
    if (key != "guest" && key != "as" && key != "paths" && key != "id" && key != "op")
      start[key] = value;
  start["name"] = name;
  const auto clone = co_await start_guest(std::move(start), true);
  co_await clone->extract_files(std::move(archive));
  wire_.mark(fmt::format("guest {} is a clone of {}", name, source_name));
  co_return clone;
}

std::shared_ptr<Guest> Lab::guest(const std::string& name) const {
  const auto found = guests_.find(name);
  if (found == guests_.end())
    throw Failure("no_such", fmt::format("no guest named '{}' runs", name));
  return found->second;
}

asio::awaitable<void> Lab::end_guests() {
  // Told all at once, then waited for: QEMU's memory takes the kernel a moment each.
  const auto all = guests_;
  for (const auto& [name, guest] : all) guest->abandon();
  for (const auto& [name, guest] : all) {
    try {
      co_await guest->kill();
    } catch (const Failure&) {
      // It is gone already.
    }
  }
}

Json Lab::describe() const {
  Json limits_json = {{"guests", limits::guests},
                      {"nics_per_guest", limits::nics_per_guest},
                      {"disks_per_guest", limits::disks_per_guest},
                      {"links", limits::links},
                      {"execs_per_guest", limits::execs_per_guest},
                      {"captures", limits::captures},
                      {"exec_output_bytes", limits::exec_output_bytes}};
  const auto capture = wire_.capture_path("wire");
  return {{"version", TSIH_VERSION},
          {"pid", ::getpid()},
          {"run_dir", options_.run_dir},
          {"control", options_.run_dir + "/control.sock"},
          {"image", options_.image},
          {"binaries", options_.binaries.empty() ? Json() : Json(options_.binaries)},
          {"accel", machine_.accelerator == Accelerator::kvm ? "kvm" : "tcg"},
          {"accel_reason", accelerator_reason_},
          {"capture", capture ? Json(*capture) : Json()},
          {"limits", std::move(limits_json)}};
}

}  // namespace tsih::lab
