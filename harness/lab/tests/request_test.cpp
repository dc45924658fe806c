// What a driver may say: arguments, disks, text; and the command line that QEMU gets for it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/lab/arguments.h"
#include "harness/lab/base64.h"
#include "harness/lab/disks.h"
#include "harness/lab/failure.h"
#include "harness/lab/limits.h"
#include "harness/lab/qemu.h"

namespace {
using namespace tsih::lab;
using Json = nlohmann::json;
using namespace std::string_literals;

/// The message that a call fails with; its code must be bad_request.
template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Failure& failure) {
    BOOST_TEST(failure.code() == "bad_request");
    return failure.what();
  }
  return "no failure";
}

struct Folder {
  Folder() {
    char name[] = "/tmp/tsih-request-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

bool has(const std::vector<std::string>& words, const std::string& wanted) {
  return std::find(words.begin(), words.end(), wanted) != words.end();
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_are_short_and_plain) {
  BOOST_TEST(is_identifier("target-2", 31));
  for (const auto* bad : {"", "Target", "2x", "-x", "a b", "a/b", "a.b", "ä"})
    BOOST_TEST(!is_identifier(bad, 31), bad);
  BOOST_TEST(is_identifier(std::string(31, 'a'), 31));
  BOOST_TEST(!is_identifier(std::string(32, 'a'), 31));
}

BOOST_AUTO_TEST_CASE(an_unknown_argument_is_refused_by_its_name) {
  const Json object = {{"name", "x"}, {"colour", "red"}};
  Arguments arguments(object, "guest.start");
  arguments.text("name");
  BOOST_TEST(refusal([&] { arguments.finish(); }) ==
             "guest.start: there is no argument 'colour'; known are name");
}

BOOST_AUTO_TEST_CASE(ranges_are_checked_and_the_message_says_what_came) {
  const Json object = {{"cpus", 5}, {"minus", -1}, {"half", 0.5}, {"huge", 1e300}};
  Arguments arguments(object, "x");
  BOOST_TEST(refusal([&] { arguments.integer("cpus", 1, 4); }) ==
             "x: 'cpus' must be an integer of 1 to 4; 5 came");
  BOOST_TEST(refusal([&] { arguments.integer("minus", 0, 4); }) ==
             "x: 'minus' must be an integer of 0 to 4; -1 came");
  BOOST_TEST(refusal([&] { arguments.integer("half", 0, 4); }) ==
             "x: 'half' must be an integer of 0 to 4; 0.5 came");
  BOOST_TEST(
      refusal([&] { arguments.timeout("huge", 0); }).starts_with("x: 'huge' must be an integer"));
  BOOST_TEST(refusal([&] { arguments.text("none"); }) ==
             "x: 'none' must be a string; nothing came");
  BOOST_TEST(arguments.integer("none", 1, 4, 2) == 2u);
}

BOOST_AUTO_TEST_CASE(a_wrong_value_is_shown_shortened) {
  const Json object = {{"name", std::string(10'000, 'x')}};
  Arguments arguments(object, "x");
  BOOST_TEST(refusal([&] { arguments.integer("name", 0, 1); }).size() < 200u);
}

BOOST_AUTO_TEST_CASE(base64_goes_there_and_back) {
  const std::pair<std::string, std::string> pairs[] = {
      {"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xFF\x00\xFE"s, "/wD+"}};
  for (const auto& [data, text] : pairs) {
    BOOST_TEST(to_base64(data) == text);
    BOOST_TEST((from_base64(text) == data));
  }
  for (const auto* bad : {"Z", "Zg=", "Z===", "Zm9\n", "Z*9v", "=Zg="})
    BOOST_TEST(!from_base64(bad), bad);
}

BOOST_AUTO_TEST_CASE(output_that_is_not_utf8_is_made_so) {
  BOOST_TEST(make_utf8("h\xC3\xA4llo \xE2\x82\xAC \xF0\x9F\x98\x80") ==
             "h\xC3\xA4llo \xE2\x82\xAC \xF0\x9F\x98\x80");
  // Cut short, overlong, a surrogate, beyond the last, a lone continuation.
  for (const auto* bad : {"\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    BOOST_TEST(!is_utf8(bad));
    BOOST_TEST(is_utf8(make_utf8(bad)));
  }
}

BOOST_FIXTURE_TEST_CASE(an_empty_disk_is_made_sparse_and_never_over_another, Folder) {
  const Json wanted = {{"name", "lun0"}, {"size_bytes", 1u << 30}};
  const auto disk = make_disk(wanted, path);
  BOOST_TEST(std::filesystem::file_size(disk.path) == 1u << 30);
  BOOST_TEST(make_disk(wanted, path).path == path + "/lun0.2.raw");
  const Json again = {{"name", "lun0"}, {"path", disk.path}};
  BOOST_TEST(make_disk(again, path).size_bytes == 1u << 30);
}

BOOST_FIXTURE_TEST_CASE(disks_that_make_no_sense_are_refused, Folder) {
  const auto refused = [&](const char* text) {
    return refusal([&] { make_disk(Json::parse(text), path); });
  };
  BOOST_TEST(refused(R"({"name":"a"})") == "disk a: either 'path' or 'size_bytes' is needed");
  BOOST_TEST(refused(R"({"name":"a","path":"/x","size_bytes":512})") ==
             "disk a: either 'path' or 'size_bytes' is needed");
  BOOST_TEST(refused(R"({"name":"a","path":"x"})") == "disk a: 'path' must be absolute; x came");
  BOOST_TEST(refused(R"({"name":"a","size_bytes":513})") ==
             "size_bytes must be a multiple of 512, at most 1099511627776; 513 came");
  BOOST_TEST(refused(R"({"name":"a","size_bytes":512,"bus":"ide"})") ==
             "disk: 'bus' must be one of virtio-blk, virtio-scsi; \"ide\" came");
  BOOST_TEST(refused(R"({"name":"a-name-that-is-too-long","size_bytes":512})")
                 .starts_with("disk: 'name' must be a name"));
  BOOST_TEST(std::filesystem::is_empty(path));
}

BOOST_FIXTURE_TEST_CASE(a_missing_disk_is_named, Folder) {
  const Json wanted = {{"name", "a"}, {"path", path + "/none"}};
  BOOST_CHECK_EXCEPTION(make_disk(wanted, path), Failure, [&](const Failure& failure) {
    return failure.code() == "host" &&
           std::string(failure.what()).find(path + "/none") != std::string::npos;
  });
}

BOOST_FIXTURE_TEST_CASE(a_disk_of_an_nbd_server_is_reached_over_its_socket, Folder) {
  const Json wanted = {{"name", "a"}, {"size_bytes", 4096u}, {"nbd", "/run/a.sock"}};
  const auto disk = make_disk(wanted, path);
  const Json expected = {{"type", "unix"}, {"path", "/run/a.sock"}};
  BOOST_TEST(blockdev_of(disk)["file"]["driver"] == "nbd");
  BOOST_TEST(blockdev_of(disk)["file"]["server"] == expected);
  BOOST_TEST(disk.size_bytes == 4096u);
  BOOST_TEST(std::filesystem::is_empty(path));
  const auto refused = [&](const char* text) {
    return refusal([&] { make_disk(Json::parse(text), path); });
  };
  BOOST_TEST(refused(R"({"name":"a","size_bytes":512,"nbd":"x"})") ==
             "disk a: 'nbd' must be absolute; x came");
  BOOST_TEST(refused(R"({"name":"a","path":"/x","nbd":"/y"})") ==
             "disk a: either 'path' or 'size_bytes' is needed");
}

BOOST_AUTO_TEST_CASE(cache_modes_become_what_qemu_means_by_them) {
  Disk disk;
  disk.name = "a";
  disk.path = "/nowhere";
  const auto about = [&](const char* cache) {
    disk.cache = cache;
    return fmt::format("{} {} {}", blockdev_of(disk)["cache"]["direct"].get<bool>(),
                       blockdev_of(disk)["cache"]["no-flush"].get<bool>(),
                       device_of(disk)["write-cache"].get<std::string>());
  };
  BOOST_TEST(about("writeback") == "false false on");
  BOOST_TEST(about("none") == "true false on");
  BOOST_TEST(about("writethrough") == "false false off");
  BOOST_TEST(about("directsync") == "true false off");
  BOOST_TEST(about("unsafe") == "false true on");
}

BOOST_AUTO_TEST_CASE(the_command_line_says_what_the_guest_is) {
  GuestSpec spec;
  spec.name = "copy";
  spec.hostname = "alpha";
  spec.initiator_name = "iqn.2026-01.org.tsih:alpha";
  spec.nics = {{"eth0", "copy", "10.77.0.14/24", "52:54:00:77:00:0e"},
               {"eth1", "copy-1", "", "52:54:00:77:00:0f"}};
  spec.forwards = {{3260, 40001}};
  const Machine machine{Accelerator::tcg, "/image", "/run/bin.erofs"};
  const auto words = qemu_arguments(spec, machine, {5, 6, {7, 8}});
  BOOST_TEST(has(words, "stream,id=net0,addr.type=fd,addr.str=7"));
  BOOST_TEST(has(words, "stream,id=net1,addr.type=fd,addr.str=8"));
  BOOST_TEST(has(words, "user,id=forward,restrict=on,hostfwd=tcp:127.0.0.1:40001-:3260"));
  BOOST_TEST(has(words, "tcg,thread=multi"));
  const auto line = *(std::find(words.begin(), words.end(), "-append") + 1);
  BOOST_TEST_INFO(line);
  BOOST_TEST(line.find(" tsih.name=alpha tsih.initiator=iqn.2026-01.org.tsih:alpha "
                       "tsih.nic=52:54:00:77:00:0e,eth0,"
                       "10.77.0.14/24 tsih.nic=52:54:00:77:00:0f,eth1 "
                       "tsih.nic=02:66:77:64:00:01,fwd0,10.0.2.15/24"
                       " tsih.bin=1") != std::string::npos);
  // What the kernel takes; the rest would be cut off silently.
  BOOST_TEST(line.size() < 2048u);
}
