// Plain text and Markdown: the document's text is the file itself, so that places are the file's.
#include <algorithm>
#include <array>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/text/documents/document.h"
#include "quipu/text/documents/utf8.h"

namespace quipu::text {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBlank = " \t\r\n\f\v";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Status check_utf8(std::string_view content) {
  const auto bad = first_invalid_utf8(content);
  if (!bad) return ok_status();
  return Error{ErrorCode::kInvalidArgument,
               quipu::format("it is not UTF-8: the byte at offset {} fits no sequence", *bad),
               "document_not_utf8"};
}

Error empty_document() {
  return {ErrorCode::kInvalidArgument, "it holds no text", "document_empty"};
}

std::size_t content_start(std::string_view content) {
  return content.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
}

// The section [begin, end) unless it is blank.
void add_section(Document& document, std::string heading, std::size_t begin, std::size_t end) {
  const std::string_view body = std::string_view(document.text).substr(begin, end - begin);
  if (!trim(body).empty()) document.sections.push_back({std::move(heading), begin, end - begin});
}

// A heading in Markdown's source.
struct Heading {
  std::size_t level = 0;  // 1..6
  std::string title;
  std::size_t begin = 0;  // of its line or, when underlined, its first line
  std::size_t end = 0;    // after its last line
};

// Without the marks for emphasis and code, and without a closing run of '#'.
std::string clean_title(std::string_view raw) {
  raw = trim(raw);
  const std::size_t last = raw.find_last_not_of('#');
  if (last != std::string_view::npos && last + 1 < raw.size() && raw[last] == ' ') {
    raw = trim(raw.substr(0, last + 1));
  }
  std::string title;
  for (const char c : raw) {
    if (c != '*' && c != '`') title += c;
  }
  return title;
}

struct Line {
  std::size_t begin;
  std::size_t end;        // after the newline
  std::string_view text;  // without the newline
};

Line line_from(std::string_view text, std::size_t begin) {
  const std::size_t newline = text.find('\n', begin);
  const std::size_t end = newline == std::string_view::npos ? text.size() : newline + 1;
  std::string_view line = text.substr(begin, end - begin);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return {begin, end, line};
}

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// The character and length of a code fence that the line opens or closes; length 0 when none.
struct Fence {
  char mark = 0;
  std::size_t size = 0;
};
Fence fence_of(std::string_view line) {
  const std::size_t indent = indent_of(line);
  if (indent > 3 || indent == line.size()) return {};
  const char mark = line[indent];
  if (mark != '`' && mark != '~') return {};
  const std::size_t end = std::min(line.find_first_not_of(mark, indent), line.size());
  return end - indent >= 3 ? Fence{mark, end - indent} : Fence{};
}

// The level of "## Title"; 0 when the line is none.
std::size_t hash_level(std::string_view line) {
  const std::size_t indent = indent_of(line);
  if (indent > 3) return 0;
  line.remove_prefix(indent);
  const std::size_t level = std::min(line.find_first_not_of('#'), line.size());
  if (level == 0 || level > 6) return 0;
  return level == line.size() || line[level] == ' ' || line[level] == '\t' ? level : 0;
}

// The level that a line of '=' or '-' gives to the line above it; 0 when it is none.
std::size_t underline_level(std::string_view line) {
  const std::string_view marks = trim(line);
  if (marks.size() < 2 || indent_of(line) > 3) return 0;
  if (marks.find_first_not_of('=') == std::string_view::npos) return 1;
  return marks.find_first_not_of('-') == std::string_view::npos ? 2 : 0;
}

// YAML between two "---" lines at the top, as static site generators have it; returns its end.
std::size_t skip_front_matter(std::string_view text, std::size_t begin) {
  Line line = line_from(text, begin);
  if (line.text != "---") return begin;
  for (std::size_t at = line.end; at < text.size(); at = line.end) {
    line = line_from(text, at);
    if (line.text == "---" || line.text == "...") return line.end;
  }
  return begin;
}

std::vector<Heading> find_headings(std::string_view text, std::size_t begin) {
  std::vector<Heading> headings;
  Fence open;
  Line above{begin, begin, {}};
  for (std::size_t at = begin; at < text.size();) {
    const Line line = line_from(text, at);
    at = line.end;
    const Fence fence = fence_of(line.text);
    if (open.size > 0) {
      if (fence.mark == open.mark && fence.size >= open.size) open = {};
      above = {line.begin, line.end, {}};
      continue;
    }
    if (fence.size > 0) {
      open = fence;
      above = {line.begin, line.end, {}};
      continue;
    }
    if (const std::size_t level = hash_level(line.text); level > 0) {
      headings.push_back({level, clean_title(trim(line.text).substr(level)), line.begin, line.end});
      above = {line.begin, line.end, {}};
      continue;
    }
    const std::size_t level = underline_level(line.text);
    if (level > 0 && !trim(above.text).empty() && indent_of(above.text) <= 3) {
      headings.push_back({level, clean_title(above.text), above.begin, line.end});
      above = {line.begin, line.end, {}};
      continue;
    }
    above = line;
  }
  return headings;
}

std::string join_path(const std::array<std::string, 7>& path) {
  std::string joined;
  for (const std::string& part : path) {
    if (part.empty()) continue;
    if (!joined.empty()) joined += " > ";
    joined += part;
  }
  return joined;
}

}  // namespace

Result<Document> read_plain(std::string content, std::string_view name) {
  QUIPU_TRY_OK(check_utf8(content));
  Document document;
  document.title = std::string(name);
  document.format = DocumentFormat::kPlain;
  document.text = std::move(content);
  document.index_lines();
  add_section(document, "", content_start(document.text), document.text.size());
  if (document.sections.empty()) return empty_document();
  return document;
}

Result<Document> read_markdown(std::string content, std::string_view name) {
  QUIPU_TRY_OK(check_utf8(content));
  Document document;
  document.format = DocumentFormat::kMarkdown;
  document.text = std::move(content);
  document.index_lines();
  const std::size_t begin = skip_front_matter(document.text, content_start(document.text));
  const std::vector<Heading> headings = find_headings(document.text, begin);
  document.title = std::string(name);
  if (!headings.empty() && headings[0].level == 1 && !headings[0].title.empty()) {
    document.title = headings[0].title;
  }
  add_section(document, "", begin, headings.empty() ? document.text.size() : headings[0].begin);
  std::array<std::string, 7> path;
  for (std::size_t i = 0; i < headings.size(); ++i) {
    path[headings[i].level] = headings[i].title;
    std::fill(path.begin() + static_cast<std::ptrdiff_t>(headings[i].level) + 1, path.end(), "");
    const std::size_t end = i + 1 < headings.size() ? headings[i + 1].begin : document.text.size();
    add_section(document, join_path(path), headings[i].end, end);
  }
  if (document.sections.empty()) return empty_document();
  return document;
}

}  // namespace quipu::text
