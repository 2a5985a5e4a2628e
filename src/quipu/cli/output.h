// What commands print: tables and lines for people, one JSON document for programs, progress on the
// error stream when somebody watches.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace quipu::cli {

// Where a command reads and writes. Borrowed for the command's life.
struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  std::size_t columns = 80;  // of the terminal
};

// The number of columns that UTF-8 text takes, each code point counted as one.
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;
// At most `columns` wide, the last one "…" when something was cut. Control characters become
// blanks, so that stored text cannot drive a terminal.
[[nodiscard]] std::string fit_line(std::string_view text, std::size_t columns);
// Control characters but newline and tab become blanks.
[[nodiscard]] std::string printable(std::string_view text);
// `text` in lines of at most `columns`, broken at blanks, each after `indent` blanks.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent);

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

[[nodiscard]] std::string human_bytes(std::uint64_t bytes);  // "12.3 MiB"
[[nodiscard]] std::string human_count(std::uint64_t count);  // "12,345"
[[nodiscard]] std::string human_duration(double seconds);    // "1 h 02 min", "3.4 s"
[[nodiscard]] std::string human_time(std::int64_t unix_us);  // "2026-11-21 08:56:36 UTC"
// `value` with `decimals` digits after the point.
[[nodiscard]] std::string fixed(double value, int decimals);

enum class Align : std::uint8_t { kLeft, kRight };

// Rows under headings, columns as wide as their widest cell.
class Table {
 public:
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns.
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  // On a terminal the last column is cut so that no row is wider than it.
  void print(const Streams& streams) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A line that is redrawn in place, at most ten times a second; nothing at all where the error
// stream is no terminal. Threads: one at a time.
class ProgressBar {
 public:
  ProgressBar(const Streams& streams, std::string label, bool quiet);
  // Removes the line.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  // `done` of `total` is the share of the work; `items` is what the rate counts.
  struct State {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::uint64_t items = 0;
    std::string_view unit;  // "chunks"
  };
  void update(const State& state);
  void clear();

 private:
  std::ostream& err_;
  std::string label_;
  bool active_;
  std::size_t columns_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_;
};

// The line that ProgressBar shows, `elapsed_s` after the start.
[[nodiscard]] std::string progress_line(std::string_view label, const ProgressBar::State& state,
                                        double elapsed_s, std::size_t columns);

}  // namespace quipu::cli
