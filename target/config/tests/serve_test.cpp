// `--serve`: red when a command line that cannot be served is taken, or refused without naming the
// option and the way out, or leaves a file behind.
#include "target/config/serve.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

using namespace tsihd::config;

namespace {

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("tsih-serve-test-" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name, std::uint64_t bytes) const {
    std::ofstream(path / name).put('x');
    std::filesystem::resize_file(path / name, bytes);
    return path / name;
  }
};

std::string refusal(const ServeOptions& options) {
  auto plan = serve_plan(options);
  return plan ? "" : plan.error().message;
}

ServeOptions ram() {
  ServeOptions options;
  options.disk = "ram:64M";
  return options;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(serve, Folder)

BOOST_AUTO_TEST_CASE(a_file_that_is_there) {
  ServeOptions options;
  options.disk = file("Disk_1.IMG", 1 << 20);
  auto plan = serve_plan(options);
  BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().message));
  BOOST_TEST(plan->targets.at(0).name == "iqn.2026-11.org.tsih:disk-1.img");
  const auto& group = plan->targets[0].groups.at(0);
  BOOST_TEST(group.attributes.generate_node_acls);
  BOOST_TEST(!group.attributes.demo_mode_write_protect);
  BOOST_TEST(!group.attributes.authentication);
  BOOST_TEST(group.portals.at(0).port == 3260);
  BOOST_TEST(!plan->storage.at(0).create);
  BOOST_TEST(plan->storage[0].write_back);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_is_made_only_with_a_size_and_not_yet) {
  ServeOptions options;
  options.disk = path / "new.img";
  BOOST_TEST(refusal(options).find("--size 1G") != std::string::npos);
  options.size = "1G";
  auto plan = serve_plan(options);
  BOOST_TEST_REQUIRE(plan.has_value());
  BOOST_TEST(plan->storage.at(0).create);
  BOOST_TEST(plan->storage[0].size_bytes == 1u << 30);
  BOOST_TEST(!std::filesystem::exists(options.disk));
  options.size = "1000";
  BOOST_TEST(refusal(options).find("multiple of 512") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_size_that_contradicts_the_file_is_refused) {
  ServeOptions options;
  options.disk = file("disk.img", 1 << 20);
  options.size = "2M";
  BOOST_TEST(refusal(options).find("has 1048576 bytes") != std::string::npos);
  options.size = "1M";
  BOOST_TEST(refusal(options) == "");
  options.disk = path;
  BOOST_TEST(refusal(options).find("neither") != std::string::npos);
  options.disk = file("empty.img", 0);
  options.size.reset();
  BOOST_TEST(refusal(options).find("truncate") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(memory) {
  auto plan = serve_plan(ram());
  BOOST_TEST_REQUIRE(plan.has_value());
  BOOST_TEST((plan->storage.at(0).plugin == Plugin::ramdisk));
  BOOST_TEST(plan->storage[0].size_bytes == 64u << 20);
  ServeOptions wrong = ram();
  wrong.disk = "ram:";
  BOOST_TEST(refusal(wrong).starts_with("--serve ram:"));
}

BOOST_AUTO_TEST_CASE(a_scsi_device) {
  ServeOptions options;
  options.disk = "pscsi:1:0:0:0";
  auto plan = serve_plan(options);
  BOOST_TEST_REQUIRE(plan.has_value());
  BOOST_TEST((plan->storage.at(0).plugin == Plugin::pscsi));
  BOOST_TEST(plan->storage[0].device == "1:0:0:0");
  BOOST_TEST(!plan->storage[0].device_reserves);
  options.size = "1G";
  BOOST_TEST(refusal(options).starts_with("--size: a SCSI device"));
  options.size.reset();
  options.disk = "pscsi:";
  BOOST_TEST(refusal(options).starts_with("--serve pscsi: expected"));
}

BOOST_AUTO_TEST_CASE(every_wrong_option_is_named) {
  auto with = [](auto change) {
    ServeOptions options = ram();
    change(options);
    return refusal(options);
  };
  BOOST_TEST(with([](auto& o) { o.iqn = "disk"; }).starts_with("--iqn: expected"));
  BOOST_TEST(with([](auto& o) { o.portal = "localhost"; }).starts_with("--portal: expected"));
  BOOST_TEST(with([](auto& o) { o.attributes = {"max_sesions=1"}; }) ==
             "--attribute max_sesions: no such portal group attribute is known; did you mean "
             "\"max_sessions\"?");
  BOOST_TEST(with([](auto& o) { o.attributes = {"max_sessions"}; }).find("NAME=VALUE") !=
             std::string::npos);
  BOOST_TEST(with([](auto& o) { o.parameters = {"ErrorRecoveryLevel=3"}; }).find("from 0 to 2") !=
             std::string::npos);
  BOOST_TEST(with([](auto& o) { o.attributes = {"authentication=1"}; }).find("--chap") !=
             std::string::npos);
  BOOST_TEST(with([](auto& o) { o.chap = "alice"; }) == "--chap: expected USER:PASSWORD");
  BOOST_TEST(with([](auto& o) { o.mutual_chap = "a:b"; }).find("--chap as well") !=
             std::string::npos);
  BOOST_TEST(with([](auto& o) { o.chap = "a:b", o.mutual_chap = "c:b"; }).find("choose another") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(settings_arrive) {
  ServeOptions options = ram();
  options.iqn = "iqn.2026-11.org.example:X";
  options.portal = "[::1]:0";
  options.attributes = {"max_sessions=1", "session_guard=reject"};
  options.parameters = {"InitialR2T=No"};
  options.chap = "alice:wonder:land";
  auto plan = serve_plan(options);
  BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().message));
  BOOST_TEST(plan->targets[0].name == "iqn.2026-11.org.example:x");
  const auto& group = plan->targets[0].groups.at(0);
  BOOST_TEST(group.attributes.max_sessions == 1u);
  BOOST_TEST((group.attributes.session_guard == tsihd::session::GuardMode::reject));
  BOOST_TEST(!group.offered.initial_r2t);
  BOOST_TEST(group.attributes.authentication);
  BOOST_TEST(group.chap.password == "wonder:land");
  BOOST_TEST(group.portals.at(0).address == "::1");
  BOOST_TEST(plan->warnings.size() == 1u);  // 11 bytes of a secret (RFC 3720 8.2.1)
  options.chap = "alice:wonder:lands";
  BOOST_TEST(serve_plan(options)->warnings.empty());
}

BOOST_AUTO_TEST_SUITE_END()
