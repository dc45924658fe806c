#include "target/scsi/saved_mode.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <iterator>
#include <utility>

#include "target/scsi/device_server.h"
#include "target/scsi/state_image.h"

namespace tsihd::scsi {
namespace {

constexpr std::string_view kMagic = "tsihd-mode 1";

std::optional<std::vector<std::byte>> from_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  if (text.size() % 2 != 0) return std::nullopt;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    unsigned value = 0;
    const char* end = text.data() + at + 2;
    const auto [stopped, error] = std::from_chars(text.data() + at, end, value, 16);
    if (error != std::errc{} || stopped != end) return std::nullopt;
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

}  // namespace

std::string encode_mode(const ModeState& state, const ModeCapabilities& can,
                        const std::string& serial) {
  std::vector<std::byte> pages;
  static_cast<void>(append_mode_pages(pages, kAllPages, kAllSubpages, state, can, false, false));
  std::string body = "pages ";
  for (std::byte it : pages)
    fmt::format_to(std::back_inserter(body), "{:02x}", static_cast<unsigned>(it));
  return seal_image(kMagic, serial, body + "\n");
}

Result<ModeState> decode_mode(std::string_view image, const ModeState& defaults,
                              const ModeCapabilities& can, const std::string& serial) {
  constexpr std::string_view kPages = "pages ";
  const auto body = open_image(image, kMagic, serial, "mode parameters");
  if (!body) return std::unexpected(body.error());
  const bool framed = body->starts_with(kPages) && body->ends_with('\n');
  const auto pages = framed
                         ? from_hex(body->substr(kPages.size(), body->size() - kPages.size() - 1))
                         : std::nullopt;
  ModeState state = defaults;
  // A cache, or an account of space, that the unit had when it saved may be gone.
  constexpr ModeCapabilities kEverything{.volatile_cache = true, .knows_space = true};
  if (!pages || take_mode_pages(*pages, 0, kEverything, state)) return fail("not understood");
  if (!can.volatile_cache) state.write_cache = defaults.write_cache;
  return state;
}

Result<void> SavedMode::keep_in(backstore::OpenedState state) {
  if (!state.content.empty()) {
    auto values = decode_mode(state.content, server_.default_mode(), server_.mode_capabilities(),
                              server_.identity().serial);
    if (!values) return std::unexpected(values.error());
    values_ = *values;
    log_.info("scsi.mode_restored disk={}", server_.identity().name);
  }
  store_ = std::move(state.store);
  return {};
}

void SavedMode::save(Task& task, const ModeState& wanted, Apply apply) {
  if (save_) return task.finish(Status::busy);
  save_ = Save{wanted, apply,
               encode_mode(wanted, server_.mode_capabilities(), server_.identity().serial)};
  task.disk_busy = true;
  task.io.error = 0;
  task.io.data = std::as_writable_bytes(std::span(save_->image));
  task.io.owner = &task;
  task.io.done = stored;
  store_->replace(task.io);
}

void SavedMode::stored(backstore::Io& io) {
  Task& task = *static_cast<Task*>(io.owner);
  task.server->saved_mode().finish(task, io.error);
}

void SavedMode::finish(Task& task, int error) {
  task.disk_busy = false;
  const Save save = *std::exchange(save_, std::nullopt);
  if (error == 0) {
    values_ = save.wanted;
  } else {
    log_.warning("scsi.mode_not_stored disk={} error=\"{}\"", server_.identity().name,
                 std::strerror(error));
  }
  if (task.command->aborted) return server_.drop(task);
  if (error != 0) return task.fail(sense::kInternalTargetFailure);
  save.apply(task, save.wanted);
}

}  // namespace tsihd::scsi
