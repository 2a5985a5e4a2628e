#include "quipu/cli/ingest/chunks.h"

#include <algorithm>

#include "quipu/base/ascii.h"
#include "quipu/base/bytes.h"
#include "quipu/engine/plain_memory.h"
#include "quipu/text/documents/utf8.h"

namespace quipu::cli {
namespace {

constexpr std::uint32_t kBodyTokensMin = 32;

bool is_word(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || byte >= 0x80;
}
bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A word or a single other character, with what it is thought to cost.
struct Unit {
  std::size_t offset;
  std::size_t size;
  std::uint32_t tokens;
  bool ends_line;  // the last one before a line's or a sentence's end
};

std::vector<Unit> units_of(std::string_view text) {
  std::vector<Unit> units;
  for (std::size_t i = 0; i < text.size();) {
    if (is_blank(text[i])) {
      if (text[i] == '\n' && !units.empty()) units.back().ends_line = true;
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    if (is_word(text[i])) {
      // Long runs without a blank are cut, so that every unit is small.
      while (end < text.size() && is_word(text[end]) && end - i < 64) ++end;
      end = i + std::max<std::size_t>(text::utf8_floor(text.substr(i), end - i), 1);
    }
    const bool sentence = text[i] == '.' || text[i] == '!' || text[i] == '?';
    units.push_back({i, end - i, static_cast<std::uint32_t>((end - i + 3) / 4),
                     sentence && end < text.size() && is_blank(text[end])});
    i = end;
  }
  return units;
}

bool is_left_out(std::string_view heading, const std::vector<std::string>& left_out) {
  while (true) {
    const std::size_t end = heading.find(" > ");
    const std::string_view part = heading.substr(0, end);
    for (const std::string& name : left_out) {
      if (same_ignoring_case(part, name)) return true;
    }
    if (end == std::string_view::npos) return false;
    heading.remove_prefix(end + 3);
  }
}

std::string context_line(const text::Document& document, const text::Section& section) {
  // A Markdown page's first heading is its title: once is enough.
  std::string line = document.title;
  std::string_view heading = section.heading;
  if (heading == document.title) heading = {};
  if (heading.starts_with(document.title + " > ")) heading.remove_prefix(document.title.size() + 3);
  if (!heading.empty()) line += ": " + std::string(heading);
  return line + "\n";
}

}  // namespace

std::vector<embed::TextChunk> cut_by_estimate(std::string_view text, std::uint32_t tokens_max,
                                              std::uint32_t overlap_tokens) {
  const std::vector<Unit> units = units_of(text);
  std::vector<embed::TextChunk> chunks;
  std::size_t begin = 0;
  std::size_t end_before = 0;  // every chunk ends behind the one before
  while (begin < units.size()) {
    std::uint32_t tokens = 0;
    std::size_t end = begin;
    std::size_t line_end = begin;
    while (end < units.size() && (end == begin || tokens + units[end].tokens <= tokens_max)) {
      tokens += units[end].tokens;
      ++end;
      if (units[end - 1].ends_line) line_end = end;
    }
    // A line's or a sentence's end in the last third is worth a shorter chunk.
    const bool late = line_end > begin + (end - begin) * 2 / 3 && line_end > end_before;
    if (end < units.size() && late) end = line_end;
    tokens = 0;
    for (std::size_t i = begin; i < end; ++i) tokens += units[i].tokens;
    const std::size_t offset = units[begin].offset;
    chunks.push_back({offset, units[end - 1].offset + units[end - 1].size - offset, tokens});
    if (end == units.size()) break;
    end_before = end;
    // What is shared must leave room for the first unit that is new.
    const std::uint32_t room = tokens_max - std::min(tokens_max, units[end].tokens);
    std::size_t next = end;
    std::uint32_t shared = 0;
    while (next > begin + 1 && shared + units[next - 1].tokens <= std::min(overlap_tokens, room)) {
      --next;
      shared += units[next].tokens;
    }
    begin = next;
  }
  return chunks;
}

std::string without_indent(std::string_view text) {
  std::vector<std::string_view> lines;
  std::size_t shared = std::string_view::npos;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    // The first piece of a text may start within a line: its own indentation says nothing.
    const std::size_t last = line.find_last_not_of(" \t\r");
    line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
    const bool partial = at == 0 && !line.empty() && line[0] != ' ';
    if (!line.empty() && !partial) shared = std::min(shared, line.find_first_not_of(' '));
    lines.push_back(line);
    at = end + 1;
  }
  if (shared == std::string_view::npos) shared = 0;
  std::string out;
  for (std::string_view line : lines) {
    line.remove_prefix(std::min({shared, line.size(), line.find_first_not_of(' ')}));
    if (line.empty() && out.empty()) continue;
    out += line;
    out += '\n';
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

Result<std::vector<Chunk>> make_chunks(const text::Document& document, const ChunkOptions& options,
                                       const CutText& cut) {
  std::vector<Chunk> chunks;
  const std::string_view whole = document.text;
  for (const text::Section& section : document.sections) {
    if (is_left_out(section.heading, options.sections_left_out)) continue;
    const std::string context = options.context ? context_line(document, section) : "";
    std::uint32_t room = options.tokens_max;
    if (!context.empty()) {
      QUIPU_TRY(const std::vector<embed::TextChunk> measured, cut(context, options.tokens_max, 0));
      const std::uint32_t used = measured.empty() ? 0 : measured[0].token_count;
      room = std::max(std::min(kBodyTokensMin, options.tokens_max), room - std::min(room, used));
    }
    QUIPU_TRY(const std::vector<embed::TextChunk> pieces,
              cut(whole.substr(section.offset, section.size), room,
                  std::min(options.overlap_tokens, room / 2)));
    for (const embed::TextChunk& piece : pieces) {
      std::size_t offset = section.offset + piece.offset;
      std::string_view slice = whole.substr(offset, piece.size);
      const std::size_t first = slice.find_first_not_of(" \t\r\n");
      if (first == std::string_view::npos) continue;
      // The place is that of the first letter; the text keeps its first line's indentation.
      const std::size_t line_start = slice.substr(0, first).rfind('\n');
      std::string body =
          without_indent(slice.substr(line_start == std::string_view::npos ? 0 : line_start + 1));
      offset += first;
      chunks.push_back(
          {context + body, section.heading, document.line_at(offset), offset, piece.size - first});
    }
  }
  return chunks;
}

PointId chunk_point_id(std::string_view source, std::size_t index) {
  std::string name = "quipu.ingest";
  ByteWriter writer(name);
  writer.sized(source);
  writer.u64_big_endian(index);
  return engine::derived_uuid(name);
}

}  // namespace quipu::cli
