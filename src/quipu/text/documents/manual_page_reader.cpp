// Manual pages: `mandoc` renders them, and the rendering's bold and indentation give the headings.
#include <algorithm>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/text/documents/child_process.h"
#include "quipu/text/documents/document.h"
#include "quipu/text/documents/utf8.h"

namespace quipu::text {
namespace {

// One rendered line, without its overstrikes.
struct RenderedLine {
  std::string text;
  bool all_bold = false;  // every character that is no blank
};

// The size of the code point that starts at `i`; the text is known to be well formed.
std::size_t code_point_size(std::string_view text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return std::min(size, text.size() - i);
}

RenderedLine plain_line(std::string_view line) {
  RenderedLine plain;
  bool any = false;
  bool bold_throughout = true;
  for (std::size_t i = 0; i < line.size();) {
    std::string_view shown = line.substr(i, code_point_size(line, i));
    i += shown.size();
    bool bold = false;
    // "X\bX" is a bold X, "_\bX" an underlined one, and they nest.
    while (i + 1 < line.size() && line[i] == '\b') {
      const std::string_view over = line.substr(i + 1, code_point_size(line, i + 1));
      bold = bold || over == shown;
      if (shown == "_" || over != "_") shown = over;
      i += 1 + over.size();
    }
    plain.text += shown;
    if (shown == " ") continue;
    any = true;
    bold_throughout = bold_throughout && bold;
  }
  plain.all_bold = any && bold_throughout;
  return plain;
}

std::string collapse_blanks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// "find(1)" from "FIND(1)   General Commands Manual   FIND(1)": the header shouts, the file's name
// does not.
std::string page_title(std::string_view header, std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos && dot > 0 && dot + 1 < name.size()) {
    return quipu::format("{}({})", name.substr(0, dot), name.substr(dot + 1));
  }
  const std::size_t end = header.find(' ');
  const std::string_view first = header.substr(0, end);
  return std::string(first.empty() ? name : first);
}

// The page that `.so man1/other.1` stands for, when that is all there is.
std::string_view included_page(std::string_view roff) {
  std::string_view target;
  std::size_t start = 0;
  while (start < roff.size()) {
    const std::size_t end = std::min(roff.find('\n', start), roff.size());
    std::string_view line = roff.substr(start, end - start);
    start = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.starts_with(".\\\"") || line.starts_with("'\\\"")) continue;
    if (!line.starts_with(".so ") || !target.empty()) return {};
    target = line.substr(4);
  }
  return target;
}

class PageBuilder {
 public:
  explicit PageBuilder(Document& document) : document_(document) {}

  void add(const RenderedLine& line) {
    const std::size_t begin = document_.text.size();
    document_.text += line.text;
    document_.text += '\n';
    const std::size_t indent = std::min(line.text.find_first_not_of(' '), line.text.size());
    // Both macro sets put headings in bold at the margin and sub-headings three columns in.
    if (!line.all_bold || (indent != 0 && indent != 3)) return;
    close(begin);
    if (indent == 0) section_ = collapse_blanks(line.text);
    subsection_ = indent == 0 ? std::string() : collapse_blanks(line.text);
    begin_ = document_.text.size();
  }

  void close(std::size_t end) {
    const std::string_view body = std::string_view(document_.text).substr(begin_, end - begin_);
    // Before the first heading stands only the page's header line.
    if (!section_.empty() && body.find_first_not_of(" \n") != std::string_view::npos) {
      document_.sections.push_back(
          {subsection_.empty() ? section_ : quipu::format("{} > {}", section_, subsection_), begin_,
           end - begin_});
    }
    begin_ = end;
  }

 private:
  Document& document_;
  std::string section_;
  std::string subsection_;
  std::size_t begin_ = 0;
};

}  // namespace

Document parse_rendered_manual_page(std::string_view rendered, std::string_view name) {
  std::vector<RenderedLine> lines;
  for (std::size_t start = 0; start < rendered.size();) {
    const std::size_t end = std::min(rendered.find('\n', start), rendered.size());
    lines.push_back(plain_line(rendered.substr(start, end - start)));
    start = end + 1;
  }
  Document document;
  document.format = DocumentFormat::kManualPage;
  document.title = page_title(lines.empty() ? std::string_view() : lines[0].text, name);
  PageBuilder builder(document);
  // The last line that is not blank is the page's footer: text, but of no section.
  std::size_t footer = lines.size();
  while (footer > 0 && lines[footer - 1].text.find_first_not_of(' ') == std::string::npos) --footer;
  if (footer > 0) --footer;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == footer) builder.close(document.text.size());
    if (i < footer) {
      builder.add(lines[i]);
    } else {
      document.text += lines[i].text + "\n";
    }
  }
  document.index_lines();
  return document;
}

Result<Document> read_manual_page(std::string_view roff, std::string_view name,
                                  const DocumentLimits& limits) {
  if (const std::string_view target = included_page(roff); !target.empty()) {
    return Error{ErrorCode::kInvalidArgument, quipu::format("it is another name of {}", target),
                 "document_alias"};
  }
  const ChildLimits child{.time_max = limits.child_time_max,
                          .output_bytes_max = limits.text_bytes_max};
  QUIPU_TRY(const std::string rendered,
            run_child({"mandoc", "-T", "utf8", "-O", "width=78"}, roff, child));
  if (first_invalid_utf8(rendered)) {
    return Error{ErrorCode::kInvalidArgument, "its rendering is not UTF-8", "document_malformed"};
  }
  Document document = parse_rendered_manual_page(rendered, name);
  if (document.sections.empty()) {
    return Error{ErrorCode::kInvalidArgument, "it holds no text", "document_empty"};
  }
  return document;
}

}  // namespace quipu::text
