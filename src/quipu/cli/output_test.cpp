// Goal: what is printed fits, is aligned, and cannot drive a terminal.
#include "quipu/cli/output.h"

#include <gtest/gtest.h>

#include <sstream>

namespace quipu::cli {
namespace {

struct Screen {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Streams streams{in, out, err, false, false, 80};
};

TEST(Output, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width("caf\u00e9"), 4U);
  EXPECT_EQ(display_width(""), 0U);
}

TEST(Output, CutsLinesAtWholeCharacters) {
  EXPECT_EQ(fit_line("short", 5), "short");
  EXPECT_EQ(fit_line("longer", 5), "long\u2026");
  EXPECT_EQ(fit_line("\u00e9\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u2026");
  EXPECT_EQ(fit_line("abc", 0), "");
}

TEST(Output, DisarmsControlCharacters) {
  EXPECT_EQ(fit_line("a\x1b[31mb\nc", 80), "a [31mb c");
  EXPECT_EQ(printable("a\x1b]0;x\x07\n\tb"), "a ]0;x \n\tb");
}

TEST(Output, WrapsAtBlanks) {
  EXPECT_EQ(wrapped("one two three", 24, 4), "    one two three\n");
  EXPECT_EQ(wrapped("aaaaaaaaaa bbbbbbbbbb cc", 24, 4), "    aaaaaaaaaa\n    bbbbbbbbbb cc\n");
  EXPECT_EQ(wrapped(" \n ", 24, 4), "");
}

TEST(Output, WritesAmountsForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(5ULL << 30), "5.0 GiB");
  EXPECT_EQ(human_count(7), "7");
  EXPECT_EQ(human_count(1'234'567), "1,234,567");
  EXPECT_EQ(human_duration(3.44), "3.4 s");
  EXPECT_EQ(human_duration(62), "1 min 02 s");
  EXPECT_EQ(human_duration(3 * 3600 + 120), "3 h 02 min");
  EXPECT_EQ(human_duration(50 * 3600), "2 d 02 h");
  EXPECT_EQ(human_time(0), "1970-01-01 00:00:00 UTC");
  EXPECT_EQ(human_time(1'700'000'000'000'000), "2023-11-14 22:13:20 UTC");
}

TEST(Table, AlignsColumns) {
  Screen screen;
  Table table({{"name"}, {"points", Align::kRight}, {"note"}});
  table.add({"caf\u00e9", "7", "first"});
  table.add({"b", "12,345", ""});
  table.print(screen.streams);
  EXPECT_EQ(screen.out.str(),
            "name  points  note\n"
            "caf\u00e9       7  first\n"
            "b     12,345\n");
}

TEST(Table, CutsTheLastColumnOnATerminalOnly) {
  Screen screen;
  screen.streams.out_is_terminal = true;
  screen.streams.columns = 20;
  Table table({{"id"}, {"text"}});
  table.add({"1", std::string(50, 'x')});
  table.print(screen.streams);
  EXPECT_EQ(screen.out.str(), "id  text\n1   " + std::string(15, 'x') + "\u2026\n");
  Screen pipe;
  table.print(pipe.streams);
  EXPECT_NE(pipe.out.str().find(std::string(50, 'x')), std::string::npos);
}

TEST(Progress, SaysShareRateAndRest) {
  const std::string line =
      progress_line("ingesting", {.done = 25, .total = 100, .items = 50, .unit = "chunks"}, 5, 80);
  EXPECT_NE(line.find(" 25 %"), std::string::npos) << line;
  EXPECT_NE(line.find("50 chunks  10/s"), std::string::npos) << line;
  EXPECT_NE(line.find("15.0 s left"), std::string::npos) << line;
  EXPECT_LE(display_width(line), 79U);
  for (const std::size_t columns : {0U, 1U, 10U, 40U}) {
    EXPECT_LE(display_width(progress_line("x", {.unit = "y"}, 0, columns)), columns);
  }
}

TEST(Progress, IsSilentInPipesAndWhenQuiet) {
  Screen screen;
  { ProgressBar(screen.streams, "work", false).update({.done = 1, .total = 2, .unit = "x"}); }
  EXPECT_EQ(screen.err.str(), "");
  screen.streams.err_is_terminal = true;
  { ProgressBar(screen.streams, "work", true).update({.done = 1, .total = 2, .unit = "x"}); }
  EXPECT_EQ(screen.err.str(), "");
  { ProgressBar(screen.streams, "work", false).update({.done = 1, .total = 2, .unit = "x"}); }
  EXPECT_NE(screen.err.str().find("work"), std::string::npos);
  EXPECT_TRUE(screen.err.str().ends_with("\r\x1b[K"));
}

}  // namespace
}  // namespace quipu::cli
