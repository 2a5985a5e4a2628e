// Files to text: what a document says, with its headings and the place of every byte kept, so that
// an answer found in it can say where it stands.
//
// Read are plain text, Markdown, HTML and manual pages (roff, through the program `mandoc`), each
// also gzipped. Everything else is refused by name; nothing is guessed at.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/result.h"

namespace quipu::text {

enum class DocumentFormat : std::uint8_t { kPlain, kMarkdown, kHtml, kManualPage };
[[nodiscard]] std::string_view document_format_name(DocumentFormat format) noexcept;  // "text", ...

// A stretch of a document under one heading; the heading's own line is not in it.
struct Section {
  std::string heading;     // the path of headings, "OPTIONS > Output"; "" before the first one
  std::size_t offset = 0;  // bytes into Document::text
  std::size_t size = 0;
};

struct Document {
  std::string title;
  DocumentFormat format = DocumentFormat::kPlain;
  // UTF-8. Plain text and Markdown: the file's own bytes, so offsets and lines are the file's.
  // HTML: the text that a reader sees. Manual pages: the page as `man` shows it in 78 columns.
  std::string text;
  std::vector<Section> sections;  // ascending, apart from each other; without empty ones

  // The number of the line that the byte at `offset` is on, from 1. O(log lines).
  [[nodiscard]] std::size_t line_at(std::size_t offset) const;
  // To be called once `text` is final.
  void index_lines();

 private:
  std::vector<std::size_t> line_starts_;
};

struct DocumentLimits {
  std::size_t file_bytes_max = 32U << 20;  // as stored
  std::size_t text_bytes_max = 64U << 20;  // after decompression, and of what is extracted
  std::chrono::milliseconds child_time_max{10'000};  // for one page in `mandoc`
};

// Reads the file at `path`. The format is told by the name and checked against the content.
// Errors, each a reason to skip the file and go on:
//   kUnimplemented       "document_type": a known type that is not read (PDF, office, images, ...)
//   kInvalidArgument     "document_binary", "document_not_utf8" (with the offset),
//   "document_empty",
//                        "document_alias" (a manual page that only includes another),
//                        "document_malformed"
//   kResourceExhausted   "document_too_large" with the limit; "document_time": a reader's child ran
//                        past its limit
//   kUnavailable         "reader_missing": `mandoc` is not installed
//   as the FileSystem.
[[nodiscard]] Result<Document> read_document(FileSystem& fs, const std::string& path,
                                             const DocumentLimits& limits);

// The readers behind it, by format, for a content that is in memory. `name` is the file's name and
// becomes the title where the content has none.
[[nodiscard]] Result<Document> read_plain(std::string content, std::string_view name);
[[nodiscard]] Result<Document> read_markdown(std::string content, std::string_view name);
[[nodiscard]] Result<Document> read_html(std::string_view content, std::string_view name,
                                         const DocumentLimits& limits);
[[nodiscard]] Result<Document> read_manual_page(std::string_view roff, std::string_view name,
                                                const DocumentLimits& limits);

// What read_manual_page() does with the output of `mandoc -T utf8`: bold and underlined characters
// come as "X\bX" and "_\bX".
[[nodiscard]] Document parse_rendered_manual_page(std::string_view rendered, std::string_view name);

// Undoes gzip (RFC 1952, several members allowed). Errors: kInvalidArgument
// ("document_malformed"), kResourceExhausted ("document_too_large") past `size_max`.
[[nodiscard]] Result<std::string> gunzip(std::string_view bytes, std::size_t size_max);

}  // namespace quipu::text
