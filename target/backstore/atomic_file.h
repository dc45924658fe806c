// The file that the journal of a disk's atomic writes lies in: one entry, written and cleared.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "target/backstore/fd.h"
#include "target/base/result.h"

namespace tsihd::backstore {

/// Every member waits for the medium: they are for threads of the pool, and for the start.
class AtomicFile {
 public:
  /// `folder`/`name`, made where it is missing, with room for the largest entry set aside, and
  /// locked while it is open: it has one user. One-line errors.
  static Result<AtomicFile> open(const std::string& folder, const std::string& name);

  const std::string& path() const { return path_; }
  /// All of it, or why not.
  Result<std::vector<std::byte>> read() const;
  /// Puts an entry there (atomic_entry.h), on the medium when it returns 0; else an errno, and the
  /// entry is there or not, or a part of it.
  int put(std::span<const std::byte> index, std::span<const std::byte> data) const;
  /// There is no entry any more; durable as put().
  int clear() const;

 private:
  AtomicFile(Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  Fd file_;
  std::string path_;
};

}  // namespace tsihd::backstore
