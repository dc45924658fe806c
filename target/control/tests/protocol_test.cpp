// Red when a request is lost, joined with its neighbour, or may grow without end.
#include "target/control/protocol.h"

#include <boost/test/unit_test.hpp>

using namespace tsihd::control;
using State = LineReader::State;

BOOST_AUTO_TEST_SUITE(protocol)

BOOST_AUTO_TEST_CASE(lines_come_out_whole_however_they_came_in) {
  const std::string stream = "{\"command\":\"ping\"}\n\n{\"command\":\"stats\"}\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    LineReader reader;
    std::vector<std::string> lines;
    std::string line;
    for (std::string_view part :
         {std::string_view(stream).substr(0, cut), std::string_view(stream).substr(cut)}) {
      reader.append(part);
      while (reader.next(line) == State::line) lines.push_back(line);
    }
    BOOST_TEST(lines == (std::vector<std::string>{"{\"command\":\"ping\"}", "",
                                                  "{\"command\":\"stats\"}"}),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_line_is_bounded) {
  std::string line;
  LineReader longest;
  longest.append(std::string(kMaxRequestBytes, 'x'));
  BOOST_TEST((longest.next(line) == State::incomplete));
  longest.append("\n");
  BOOST_TEST((longest.next(line) == State::line));
  BOOST_TEST(line.size() == kMaxRequestBytes);
  LineReader endless, too_long;
  endless.append(std::string(kMaxRequestBytes + 1, 'x'));
  BOOST_TEST((endless.next(line) == State::too_long));
  too_long.append(std::string(kMaxRequestBytes + 1, 'x') + "\n");
  BOOST_TEST((too_long.next(line) == State::too_long));
}

BOOST_AUTO_TEST_SUITE_END()
