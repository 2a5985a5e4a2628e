// HTML through libxml2's push parser: events only, no tree, no network, no entities of its own.
#include <libxml/HTMLparser.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/text/documents/document.h"
#include "quipu/text/documents/utf8.h"

namespace quipu::text {
namespace {

constexpr std::array<std::string_view, 7> kUnseen = {"script",   "style", "template", "noscript",
                                                     "textarea", "svg",   "select"};
// Elements that begin and end a line of their own.
constexpr std::array<std::string_view, 33> kBlocks = {
    "address", "article", "aside",  "blockquote", "br",   "caption", "dd", "div", "dl",
    "dt",      "figure",  "footer", "form",       "h1",   "h2",      "h3", "h4",  "h5",
    "h6",      "header",  "hr",     "li",         "main", "nav",     "ol", "p",   "pre",
    "section", "table",   "tbody",  "thead",      "tr",   "ul"};

template <std::size_t kCount>
bool is_one_of(std::string_view name, const std::array<std::string_view, kCount>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::size_t heading_level(std::string_view name) {
  return name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6'
             ? static_cast<std::size_t>(name[1] - '0')
             : 0;
}

// What the parser's events build. Bounded: stops taking text at `text_bytes_max`.
struct Builder {
  Document document;
  std::size_t text_bytes_max = 0;
  bool over_limit = false;
  int unseen_depth = 0;
  int pre_depth = 0;
  bool in_title = false;
  std::size_t heading = 0;  // the level of the one being read, 0 outside
  std::string heading_text;
  std::array<std::string, 7> path;
  std::size_t section_begin = 0;

  void new_line() {
    std::string& text = document.text;
    while (!text.empty() && text.back() == ' ') text.pop_back();
    if (!text.empty() && text.back() != '\n') text += '\n';
  }

  void put(std::string& into, std::string_view bytes, bool keep_blanks) {
    for (const char c : bytes) {
      const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
      if (!blank || keep_blanks) {
        into += c;
      } else if (!into.empty() && into.back() != ' ' && into.back() != '\n') {
        into += ' ';
      }
    }
  }

  void close_section() {
    std::string& text = document.text;
    const std::size_t begin = std::min(section_begin, text.size());
    const std::string_view body = std::string_view(text).substr(begin);
    if (body.find_first_not_of(" \n\t") != std::string_view::npos) {
      std::string joined;
      for (const std::string& part : path) {
        if (part.empty()) continue;
        joined += joined.empty() ? part : " > " + part;
      }
      document.sections.push_back({std::move(joined), begin, body.size()});
    }
    section_begin = text.size();
  }

  void start(std::string_view name) {
    if (is_one_of(name, kUnseen)) ++unseen_depth;
    if (name == "title") in_title = true;
    if (name == "td" || name == "th") put(document.text, " ", false);
    if (is_one_of(name, kBlocks)) new_line();
    if (name == "pre") ++pre_depth;
    if (const std::size_t level = heading_level(name); level > 0) {
      close_section();
      heading = level;
      heading_text.clear();
    }
  }

  void end(std::string_view name) {
    if (is_one_of(name, kUnseen) && unseen_depth > 0) --unseen_depth;
    if (name == "title") in_title = false;
    if (name == "pre" && pre_depth > 0) --pre_depth;
    if (heading > 0 && heading_level(name) == heading) {
      while (!heading_text.empty() && heading_text.back() == ' ') heading_text.pop_back();
      path[heading] = heading_text;
      std::fill(path.begin() + static_cast<std::ptrdiff_t>(heading) + 1, path.end(), "");
      heading = 0;
      new_line();
      section_begin = document.text.size();
    }
    if (is_one_of(name, kBlocks)) new_line();
  }

  void characters(std::string_view bytes) {
    if (in_title) {
      put(document.title, bytes, false);
      return;
    }
    if (unseen_depth > 0 || over_limit) return;
    if (document.text.size() + bytes.size() > text_bytes_max) {
      over_limit = true;
      return;
    }
    if (heading > 0) put(heading_text, bytes, false);
    put(document.text, bytes, pre_depth > 0);
  }
};

std::string_view view(const xmlChar* text) { return reinterpret_cast<const char*>(text); }
Builder& builder_of(void* context) { return *static_cast<Builder*>(context); }

void on_start(void* context, const xmlChar* name, const xmlChar** /*attributes*/) {
  builder_of(context).start(view(name));
}
void on_end(void* context, const xmlChar* name) { builder_of(context).end(view(name)); }
void on_characters(void* context, const xmlChar* text, int size) {
  builder_of(context).characters(view(text).substr(0, static_cast<std::size_t>(size)));
}

}  // namespace

Result<Document> read_html(std::string_view content, std::string_view name,
                           const DocumentLimits& limits) {
  if (content.size() > limits.text_bytes_max) {
    return Error{ErrorCode::kResourceExhausted,
                 quipu::format("it has {} bytes, over the limit of {}", content.size(),
                               limits.text_bytes_max),
                 "document_too_large"};
  }
  Builder builder;
  builder.document.format = DocumentFormat::kHtml;
  builder.text_bytes_max = limits.text_bytes_max;
  htmlSAXHandler events{};
  events.startElement = on_start;
  events.endElement = on_end;
  events.characters = on_characters;
  events.ignorableWhitespace = on_characters;
  // A page that is UTF-8 is read as such whatever it claims; for others its own claim decides.
  const bool is_utf8 = !first_invalid_utf8(content);
  const std::unique_ptr<htmlParserCtxt, decltype(&htmlFreeParserCtxt)> parser(
      htmlCreatePushParserCtxt(&events, &builder, nullptr, 0, nullptr,
                               is_utf8 ? XML_CHAR_ENCODING_UTF8 : XML_CHAR_ENCODING_NONE),
      &htmlFreeParserCtxt);
  if (parser == nullptr) return Error{ErrorCode::kInternal, "libxml2 could not be set up"};
  htmlCtxtUseOptions(parser.get(), HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                       HTML_PARSE_NONET);
  // Fed in pieces: libxml2 takes sizes as int.
  constexpr std::size_t kPieceBytes = 1U << 20;
  for (std::size_t at = 0; at < content.size(); at += kPieceBytes) {
    const std::string_view piece = content.substr(at, kPieceBytes);
    htmlParseChunk(parser.get(), piece.data(), static_cast<int>(piece.size()), 0);
  }
  htmlParseChunk(parser.get(), nullptr, 0, 1);
  builder.close_section();
  Document document = std::move(builder.document);
  if (builder.over_limit) {
    return Error{ErrorCode::kResourceExhausted,
                 quipu::format("its text is over the limit of {} bytes", limits.text_bytes_max),
                 "document_too_large"};
  }
  if (first_invalid_utf8(document.text) || first_invalid_utf8(document.title)) {
    return Error{ErrorCode::kInvalidArgument, "its characters fit no encoding that it names",
                 "document_not_utf8"};
  }
  while (!document.title.empty() && document.title.back() == ' ') document.title.pop_back();
  if (document.title.empty()) document.title = std::string(name);
  document.index_lines();
  if (document.sections.empty()) {
    return Error{ErrorCode::kInvalidArgument, "it holds no text", "document_empty"};
  }
  return document;
}

}  // namespace quipu::text
