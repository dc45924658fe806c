// A state file: replaced as a whole, one user, nothing odd taken for a state.
#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "target/backstore/state_store.h"

using namespace tsihd;
using namespace tsihd::backstore;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tsih-state-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }

  Result<OpenedState> open(const std::string& name = "unit") {
    return open_state_file(*pool, path.string(), name);
  }
  int replace(StateStore& store, std::string content) {
    Io io;
    bool done = false;
    io.data = std::as_writable_bytes(std::span(content));
    io.owner = &done;
    io.done = [](Io& it) { *static_cast<bool*>(it.owner) = true; };
    store.replace(io);
    pool->wait_idle();
    BOOST_TEST(done);
    return io.error;
  }
  void put(const std::string& name, std::size_t bytes) {
    std::ofstream(path / name) << std::string(bytes, 'x');
  }
  std::string why(const Result<OpenedState>& opened) {
    return opened ? "opened" : opened.error().message;
  }

  fs::path path;
  std::unique_ptr<IoPool> pool = IoPool::create(2).value();
};

bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(state_file, Folder)

BOOST_AUTO_TEST_CASE(what_was_put_last_comes_back) {
  for (const std::string content : {"first", "a longer second", "3", ""}) {
    {
      auto state = open().value();
      BOOST_TEST(replace(*state.store, "before") == 0);
      BOOST_TEST(replace(*state.store, content) == 0);
    }
    BOOST_TEST(open().value().content == content);
    BOOST_TEST(fs::exists(path / "unit") == !content.empty());
    BOOST_TEST(!fs::exists(path / "unit.new"));
  }
}

BOOST_AUTO_TEST_CASE(what_a_crash_left_half_written_is_not_seen) {
  {
    auto state = open().value();
    BOOST_TEST(replace(*state.store, "whole") == 0);
  }
  put("unit.new", 3);
  auto state = open().value();
  BOOST_TEST(state.content == "whole");
  BOOST_TEST(replace(*state.store, "next") == 0);
}

BOOST_AUTO_TEST_CASE(an_error_leaves_the_old_content) {
  auto state = open().value();
  BOOST_TEST(replace(*state.store, "old") == 0);
  fs::create_directory(path / "unit.new");
  BOOST_TEST(replace(*state.store, "new") == EISDIR);
  fs::remove(path / "unit.new");
  state.store.reset();
  BOOST_TEST(open().value().content == "old");
}

BOOST_AUTO_TEST_CASE(it_has_one_user) {
  auto state = open().value();
  BOOST_TEST(has(why(open()), "in use by another"));
  BOOST_TEST(open("another").has_value());
  state.store.reset();
  BOOST_TEST(open().has_value());
}

BOOST_AUTO_TEST_CASE(any_name_stays_in_the_folder) {
  auto state = open("../a b").value();
  BOOST_TEST(replace(*state.store, "here") == 0);
  BOOST_TEST(fs::exists(path / "%2E%2E%2Fa%20b"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_state_is_refused) {
  put("unit", 0);
  BOOST_TEST(has(why(open()), "an empty file"));
  put("unit", kMaxStateBytes + 1);
  BOOST_TEST(has(why(open()), "larger than 1048576 bytes"));
  fs::remove(path / "unit");
  fs::create_directory(path / "unit");
  BOOST_TEST(has(why(open()), "s a directory"));
  BOOST_TEST(has(why(open_state_file(*pool, "/nowhere", "unit")), "/nowhere: No such file"));
}

BOOST_AUTO_TEST_SUITE_END()
