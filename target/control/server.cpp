#include "target/control/server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <set>

#include "target/control/protocol.h"

namespace tsihd::control {
namespace {

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::string_view kFull = "{\"error\":\"too many control clients\",\"ok\":false}\n";
constexpr std::string_view kTooLong = "{\"error\":\"the request line is too long\",\"ok\":false}\n";

/// One client. Reads, answers and writes in turn, so that it never holds more than one answer.
class Client : public std::enable_shared_from_this<Client> {
 public:
  using Clients = std::set<std::shared_ptr<Client>>;

  Client(Stream::socket socket, Subject subject, std::shared_ptr<Clients> clients)
      : socket_(std::move(socket)),
        idle_(socket_.get_executor()),
        subject_(subject),
        clients_(std::move(clients)) {}

  void proceed() {
    std::string line;
    switch (lines_.next(line)) {
      case LineReader::State::line:
        subject_.service.advance(Clock::now());  // ages and holds are those of this moment
        return write(execute(subject_, line) + "\n", true);
      case LineReader::State::too_long:
        return write(std::string(kTooLong), false);
      case LineReader::State::incomplete:
        return read();
    }
  }

  void write(std::string text, bool go_on) {
    watch_idleness();
    answer_ = std::move(text);
    asio::async_write(socket_, asio::buffer(answer_),
                      [self = shared_from_this(), go_on](error_code error, std::size_t) {
                        if (error || !go_on) return self->close();
                        self->proceed();
                      });
  }

  void close() {
    error_code ignored;
    socket_.close(ignored);
    idle_.cancel();
    clients_->erase(shared_from_this());
  }

 private:
  void read() {
    watch_idleness();
    socket_.async_read_some(asio::buffer(input_),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              if (error) return self->close();
                              self->lines_.append({self->input_.data(), bytes});
                              self->proceed();
                            });
  }

  /// A client that neither sends nor takes anything for so long gives its place to another.
  void watch_idleness() {
    idle_.expires_after(std::chrono::seconds(kIdleClient_s));
    idle_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->close();
    });
  }

  Stream::socket socket_;
  asio::steady_timer idle_;
  Subject subject_;
  std::shared_ptr<Clients> clients_;  ///< shared: a last handler may outlive the server
  LineReader lines_;
  std::array<char, 4096> input_;
  std::string answer_;
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

/// Makes the way free for bind(): nothing there, or a socket that nobody serves.
Result<void> clear_path(const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(
        fmt::format("control socket {}: expected a path of 1 to {} bytes; choose another "
                    "with --control",
                    path, sizeof(sockaddr_un::sun_path) - 1));
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(
        fmt::format("control socket {}: a file of another kind is there; choose another "
                    "path with --control",
                    path));
  }
  if (is_served(path)) {
    return fail(
        fmt::format("control socket {}: another tsihd serves it; choose another path with "
                    "--control",
                    path));
  }
  unlink(path.c_str());
  return {};
}

}  // namespace

bool is_served(const std::string& path) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  sockaddr_un address = address_of(path);
  int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  bool served = result == 0 || errno == EAGAIN || errno == EINPROGRESS;
  ::close(fd);
  return served;
}

struct Server::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& io, Subject about) : acceptor(io), subject(about), pause(io) {}

  Stream::acceptor acceptor;
  Subject subject;
  std::string path;
  std::shared_ptr<Client::Clients> clients = std::make_shared<Client::Clients>();
  asio::steady_timer pause;

  void accept() {
    acceptor.async_accept([self = shared_from_this()](error_code error, Stream::socket socket) {
      if (!self->acceptor.is_open()) return;
      if (error) return self->accept_later();
      self->admit(std::move(socket));
      self->accept();
    });
  }

  /// Out of file descriptors, most likely: trying again at once would only spin.
  void accept_later() {
    pause.expires_after(std::chrono::milliseconds(200));
    pause.async_wait([self = shared_from_this()](error_code error) {
      if (!error && self->acceptor.is_open()) self->accept();
    });
  }

  void admit(Stream::socket socket) {
    auto client = std::make_shared<Client>(std::move(socket), subject, clients);
    if (clients->size() >= kMaxClients) return client->write(std::string(kFull), false);
    clients->insert(client);
    client->proceed();
  }

  void close() {
    error_code ignored;
    if (!acceptor.is_open()) return;
    acceptor.close(ignored);
    pause.cancel();
    unlink(path.c_str());
    auto open = *clients;
    for (const auto& client : open) client->close();
  }
};

Server::Server(asio::io_context& io, Subject subject)
    : impl_(std::make_shared<Impl>(io, subject)) {}

Server::~Server() { close(); }

const std::string& Server::path() const { return impl_->path; }

void Server::close() { impl_->close(); }

Result<void> Server::listen(const std::string& path) {
  if (auto cleared = clear_path(path); !cleared) return cleared;
  error_code error;
  impl_->acceptor.open(Stream(), error);
  // The mode is right from the first moment: bind() makes the file with what umask leaves.
  mode_t before = umask(0177);
  if (!error) impl_->acceptor.bind(Stream::endpoint(path), error);
  umask(before);
  if (!error) impl_->acceptor.listen(kMaxClients, error);
  if (error) {
    error_code ignored;
    impl_->acceptor.close(ignored);
    return fail(fmt::format("control socket {}: {}; choose another path with --control", path,
                            error.message()));
  }
  impl_->path = path;
  impl_->accept();
  return {};
}

}  // namespace tsihd::control
