// tsih-ladder: a capture in, the PDUs of every iSCSI connection out, as JSON lines
// (harness/wire/LADDER.md). The eyes of the passive judge.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "harness/judge/capture.h"

int main(int argc, char** argv) {
  std::string file;
  std::vector<std::uint16_t> ports{3260, 860};
  CLI::App app{"Decodes the iSCSI connections of a capture: one JSON line for each PDU."};
  app.name("tsih ladder");
  app.add_option("CAPTURE", file, "pcap or pcapng")->required();
  app.add_option("--port", ports, "ports that targets listen on (3260 and 860)")->expected(1, 16);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "tsih-ladder: {}; tsih ladder --help shows the options\n", error.what());
    return 2;
  }
  try {
    tsih::judge::read_capture(file, ports, [](const tsih::wire::Rung& rung) {
      const std::string line = tsih::wire::ladder_line(rung) + "\n";
      std::fwrite(line.data(), 1, line.size(), stdout);
    });
  } catch (const std::exception& error) {
    fmt::print(stderr, "tsih-ladder: {}\n", error.what());
    return 2;
  }
  return 0;
}
