#include "quipu/cli/output.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <ostream>
#include <utility>

#include "quipu/base/format.h"

namespace quipu::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

bool continues(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

// C0 and DEL. C1 controls come as two bytes of UTF-8 that terminals of today do not obey.
bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::string pad(std::string text, std::size_t columns, Align align) {
  const std::size_t width = display_width(text);
  if (width >= columns) return text;
  const std::string blanks(columns - width, ' ');
  return align == Align::kLeft ? text + blanks : blanks + text;
}

}  // namespace

std::size_t display_width(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (is_control(c) && c != '\n' && c != '\t') c = ' ';
  }
  return out;
}

std::string fit_line(std::string_view text, std::size_t columns) {
  std::string line(text);
  for (char& c : line) {
    if (is_control(c)) c = ' ';
  }
  if (display_width(line) <= columns) return line;
  std::size_t kept = 0;
  std::size_t end = 0;
  while (end < line.size() && kept + 1 < columns) {
    ++end;
    while (end < line.size() && continues(line[end])) ++end;
    ++kept;
  }
  line.resize(end);
  return columns == 0 ? std::string() : line + "\u2026";
}

std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent) {
  const std::string clean = printable(text);
  const std::string margin(indent, ' ');
  const std::size_t room = columns > indent + 20 ? columns - indent : 20;
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += margin + line + "\n";
    line.clear();
  };
  for (std::size_t at = 0; at < clean.size();) {
    const std::size_t begin = clean.find_first_not_of(" \t\n", at);
    if (begin == std::string::npos) break;
    const std::size_t end = std::min(clean.find_first_of(" \t\n", begin), clean.size());
    const std::string_view word = std::string_view(clean).substr(begin, end - begin);
    if (!line.empty() && display_width(line) + 1 + display_width(word) > room) flush();
    if (!line.empty()) line += ' ';
    line += word;
    at = end;
  }
  flush();
  return out;
}

std::string fixed(double value, int decimals) { return quipu::format("{:.{}f}", value, decimals); }

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return quipu::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return quipu::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string human_duration(double seconds) {
  if (seconds < 60) return fixed(seconds, 1) + " s";
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return quipu::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < 48 * 3600) return quipu::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return quipu::format("{} d {:02} h", whole / 86400, whole / 3600 % 24);
}

std::string human_time(std::int64_t unix_us) {
  const std::time_t seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  return quipu::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = fit_line(cell, 100'000);
  rows_.push_back(std::move(cells));
}

void Table::print(const Streams& streams) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].heading);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  const auto print_row = [&](const auto& cell_of) {
    std::string line;
    std::size_t used = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool last = i + 1 == columns_.size();
      std::string cell = cell_of(i);
      if (last && streams.out_is_terminal && streams.columns > used + 10) {
        cell = fit_line(cell, streams.columns - used);
      }
      line += last && columns_[i].align == Align::kLeft ? cell
                                                        : pad(cell, widths[i], columns_[i].align);
      if (!last) line += "  ";
      used += widths[i] + 2;
    }
    line.resize(line.find_last_not_of(' ') + 1);
    streams.out << line << '\n';
  };
  print_row([&](std::size_t i) { return columns_[i].heading; });
  for (const auto& row : rows_) {
    print_row([&](std::size_t i) { return row[i]; });
  }
}

std::string progress_line(std::string_view label, const ProgressBar::State& state, double elapsed_s,
                          std::size_t columns) {
  const double share =
      state.total == 0
          ? 0
          : std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
  const double rate = elapsed_s > 0 ? static_cast<double>(state.items) / elapsed_s : 0;
  std::string tail = quipu::format(" {:3.0f} %  {} {}  {:.0f}/s", share * 100,
                                   human_count(state.items), state.unit, rate);
  // A guess from the first percent is worse than none.
  if (share >= 0.01 && elapsed_s >= 1) {
    tail += "  " + human_duration(elapsed_s * (1 - share) / share) + " left";
  }
  std::string line = std::string(label) + " ";
  const std::size_t used = display_width(line) + display_width(tail) + 2;
  if (columns > used + 10) {
    const std::size_t room = std::min<std::size_t>(columns - used - 1, 40);
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(room));
    line += "[" + std::string(filled, '=') + std::string(room - filled, ' ') + "]";
  }
  return fit_line(line + tail, columns == 0 ? 0 : columns - 1);
}

ProgressBar::ProgressBar(const Streams& streams, std::string label, bool quiet)
    : err_(streams.err),
      label_(std::move(label)),
      active_(streams.err_is_terminal && !quiet),
      columns_(streams.columns),
      start_(SteadyClock::now()) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::update(const State& state) {
  if (!active_) return;
  const auto now = SteadyClock::now();
  if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  err_ << "\r\x1b[K" << progress_line(label_, state, elapsed_s, columns_) << std::flush;
}

void ProgressBar::clear() {
  if (drawn_) err_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

}  // namespace quipu::cli
