// Writes the hand-made part of the corpus of fuzz_capture: judge_seeds DIRECTORY.
#include <fstream>

#include "harness/judge/tests/story.h"

using tsih::judge::testing::Story;

namespace {

void write(const std::string& path, Story story) {
  story.tell();
  const auto& file = story.scribe.file();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
}

}  // namespace

int main(int, char** argv) {
  const std::string folder = std::string(argv[1]) + "/seed-";
  Story digests, discovery, cut;
  digests.digests = true;
  discovery.discovery = true;
  cut.scribe.snap_bytes = 128;
  write(folder + "session", Story());
  write(folder + "digests", std::move(digests));
  write(folder + "discovery", std::move(discovery));
  write(folder + "cut-frames", std::move(cut));
}
