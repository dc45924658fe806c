// The control socket itself, on a real Unix socket.
#include "target/control/server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "target/control/client.h"
#include "target/control/protocol.h"
#include "target/control/tests/fixture.h"

using namespace tsihd::control;
namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;

namespace {

/// The loop runs on a thread of its own, as the daemon's does; the tests are its clients.
struct Served : Fixture {
  asio::io_context io;
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("tsih-control-" + std::to_string(getpid()));
  std::string path;
  std::unique_ptr<Server> server;
  std::thread loop;

  Served() {
    std::filesystem::create_directories(folder);
    path = folder / "control.sock";
    server = std::make_unique<Server>(io, subject);
    BOOST_TEST_REQUIRE(server->listen(path).has_value());
    loop = std::thread([this] { io.run(); });
  }
  ~Served() {
    asio::post(io, [this] { server->close(); });
    loop.join();  // returns only when every client and timer is gone
    std::filesystem::remove_all(folder);
  }
};

/// A client that reads one line, however long the server takes.
std::string read_line(Stream::socket& socket) {
  asio::streambuf buffer;
  boost::system::error_code error;
  asio::read_until(socket, buffer, '\n', error);
  return {asio::buffers_begin(buffer.data()), asio::buffers_end(buffer.data())};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(control_server, Served)

BOOST_AUTO_TEST_CASE(answers_its_owner_only) {
  auto answer = ask(path, R"({"command":"ping"})");
  BOOST_TEST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->find("\"ok\":true") != std::string::npos);
  struct stat status {};
  BOOST_TEST_REQUIRE(stat(path.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777) == 0600u);
}

BOOST_AUTO_TEST_CASE(several_requests_in_one_write_are_answered_in_order) {
  asio::io_context mine;
  Stream::socket socket(mine);
  socket.connect(Stream::endpoint(path));
  asio::write(socket, asio::buffer(std::string("{\"command\":\"ping\"}\n{\"command\":\"no\"}\n")));
  std::string both;
  while (std::count(both.begin(), both.end(), '\n') < 2) both += read_line(socket);
  BOOST_TEST(both.find("pid") < both.find("no such command"));
}

// Red when a client that never ends its line makes the daemon hold it all.
BOOST_AUTO_TEST_CASE(an_endless_line_ends_the_client) {
  asio::io_context mine;
  Stream::socket socket(mine);
  socket.connect(Stream::endpoint(path));
  boost::system::error_code ignored;
  asio::write(socket, asio::buffer(std::string(kMaxRequestBytes + 4096, 'x')), ignored);
  BOOST_TEST(read_line(socket).find("too long") != std::string::npos);
  BOOST_TEST(ask(path, R"({"command":"ping"})").has_value());
}

// Red when clients that do nothing can shut others out without a word, or grow without bound.
BOOST_AUTO_TEST_CASE(clients_are_bounded) {
  asio::io_context mine;
  std::vector<Stream::socket> sockets;
  for (std::size_t i = 0; i < kMaxClients; ++i) {
    auto& socket = sockets.emplace_back(mine);
    socket.connect(Stream::endpoint(path));
    asio::write(socket, asio::buffer(std::string("{\"command\":\"ping\"}\n")));
    BOOST_TEST(read_line(socket).find("\"ok\":true") != std::string::npos);
  }
  Stream::socket one_more(mine);
  one_more.connect(Stream::endpoint(path));
  BOOST_TEST(read_line(one_more).find("too many") != std::string::npos);
}

// Red when a second daemon takes the first one's socket away, or a dead one's blocks the next.
BOOST_AUTO_TEST_CASE(only_a_dead_socket_is_replaced) {
  asio::io_context other;
  Server second(other, subject);
  auto taken = second.listen(path);
  BOOST_TEST_REQUIRE(!taken.has_value());
  BOOST_TEST(taken.error().message.find("another tsihd serves it") != std::string::npos);
  BOOST_TEST(ask(path, R"({"command":"ping"})").has_value());

  std::string stale = folder / "stale.sock";
  { Stream::acceptor dead(other, Stream::endpoint(stale)); }
  BOOST_TEST(std::filesystem::exists(stale));
  BOOST_TEST(second.listen(stale).has_value());

  std::string plain = folder / "file";
  std::ofstream(plain) << "precious";
  Server third(other, subject);
  BOOST_TEST(!third.listen(plain).has_value());
  BOOST_TEST(std::filesystem::file_size(plain) == 8u);
  BOOST_TEST(!third.listen(std::string(200, 'x')).has_value());
}

BOOST_AUTO_TEST_CASE(nobody_there_is_said_with_the_way_out) {
  auto answer = ask(folder / "none.sock", R"({"command":"ping"})");
  BOOST_TEST_REQUIRE(!answer.has_value());
  BOOST_TEST(answer.error().message.find("--control") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
