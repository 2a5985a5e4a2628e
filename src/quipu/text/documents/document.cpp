#include "quipu/text/documents/document.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "quipu/base/format.h"
#include "quipu/text/documents/utf8.h"

namespace quipu::text {
namespace {

enum class FileType : std::uint8_t { kText, kMarkdown, kHtml, kManualPage, kRefused };

struct KnownType {
  std::string_view extension;
  FileType type;
  std::string_view name;  // for refusals
};

// What is not here is plain text if its content is.
constexpr std::array kKnownTypes = {
    KnownType{"md", FileType::kMarkdown, ""},
    KnownType{"markdown", FileType::kMarkdown, ""},
    KnownType{"mkd", FileType::kMarkdown, ""},
    KnownType{"html", FileType::kHtml, ""},
    KnownType{"htm", FileType::kHtml, ""},
    KnownType{"xhtml", FileType::kHtml, ""},
    KnownType{"pdf", FileType::kRefused, "PDF documents"},
    KnownType{"doc", FileType::kRefused, "Word documents"},
    KnownType{"docx", FileType::kRefused, "Word documents"},
    KnownType{"odt", FileType::kRefused, "OpenDocument texts"},
    KnownType{"rtf", FileType::kRefused, "RTF documents"},
    KnownType{"xls", FileType::kRefused, "Excel sheets"},
    KnownType{"xlsx", FileType::kRefused, "Excel sheets"},
    KnownType{"ppt", FileType::kRefused, "PowerPoint slides"},
    KnownType{"pptx", FileType::kRefused, "PowerPoint slides"},
    KnownType{"epub", FileType::kRefused, "EPUB books"},
    KnownType{"zip", FileType::kRefused, "archives"},
    KnownType{"tar", FileType::kRefused, "archives"},
    KnownType{"tgz", FileType::kRefused, "archives"},
    KnownType{"xz", FileType::kRefused, "files compressed by xz"},
    KnownType{"bz2", FileType::kRefused, "files compressed by bzip2"},
    KnownType{"zst", FileType::kRefused, "files compressed by zstd"},
    KnownType{"7z", FileType::kRefused, "archives"},
    KnownType{"png", FileType::kRefused, "images"},
    KnownType{"jpg", FileType::kRefused, "images"},
    KnownType{"jpeg", FileType::kRefused, "images"},
    KnownType{"gif", FileType::kRefused, "images"},
    KnownType{"webp", FileType::kRefused, "images"},
    KnownType{"svg", FileType::kRefused, "images"},
    KnownType{"mp3", FileType::kRefused, "audio"},
    KnownType{"mp4", FileType::kRefused, "video"},
    KnownType{"parquet", FileType::kRefused, "Parquet files"},
    KnownType{"sqlite", FileType::kRefused, "databases"},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view extension_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? std::string_view() : name.substr(dot + 1);
}

// ".1" to ".9", with the letters that some sections carry: "3pm", "1ssl".
bool is_manual_extension(std::string_view extension) {
  return !extension.empty() && extension[0] >= '1' && extension[0] <= '9' &&
         std::all_of(extension.begin() + 1, extension.end(),
                     [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; });
}

// A version number is a manual section's extension too ("notes.1"): roff has control lines.
bool looks_like_roff(std::string_view content) {
  std::size_t start = 0;
  for (int line = 0; line < 200 && start < content.size(); ++line) {
    const std::string_view rest = content.substr(start);
    for (const std::string_view request : {".TH ", ".Dd ", ".so ", "'\\\" ", ".SH "}) {
      if (rest.starts_with(request)) return true;
    }
    const std::size_t end = content.find('\n', start);
    if (end == std::string_view::npos) break;
    start = end + 1;
  }
  return false;
}

Error too_large(std::uint64_t size, std::size_t limit) {
  return {ErrorCode::kResourceExhausted,
          quipu::format("it has {} bytes, over the limit of {}", size, limit),
          "document_too_large"};
}

// Signatures of what files without a telling name often are.
Status refuse_binary(std::string_view content) {
  const std::string_view head = content.substr(0, 8192);
  if (head.starts_with("%PDF-")) {
    return Error{ErrorCode::kUnimplemented, "PDF documents are not read", "document_type"};
  }
  if (head.starts_with("\x7f"
                       "ELF") ||
      head.find('\0') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "it is binary, not text", "document_binary"};
  }
  return ok_status();
}

Result<std::string> load(FileSystem& fs, const std::string& path, const DocumentLimits& limits) {
  QUIPU_TRY(const std::uint64_t size, fs.file_size(path));
  if (size > limits.file_bytes_max) return too_large(size, limits.file_bytes_max);
  if (size == 0) {
    return Error{ErrorCode::kInvalidArgument, "it is empty", "document_empty"};
  }
  return read_file(fs, path, limits.file_bytes_max);
}

Result<FileType> type_by_name(std::string_view extension) {
  for (const KnownType& known : kKnownTypes) {
    if (known.extension != extension) continue;
    if (known.type == FileType::kRefused) {
      return Error{ErrorCode::kUnimplemented, quipu::format("{} are not read", known.name),
                   "document_type"};
    }
    return known.type;
  }
  return is_manual_extension(extension) ? FileType::kManualPage : FileType::kText;
}

}  // namespace

std::string_view document_format_name(DocumentFormat format) noexcept {
  switch (format) {
    case DocumentFormat::kPlain: return "text";
    case DocumentFormat::kMarkdown: return "markdown";
    case DocumentFormat::kHtml: return "html";
    case DocumentFormat::kManualPage: return "manual page";
  }
  return "text";
}

void Document::index_lines() {
  line_starts_.assign(1, 0);
  for (std::size_t i = text.find('\n'); i != std::string::npos; i = text.find('\n', i + 1)) {
    line_starts_.push_back(i + 1);
  }
}

std::size_t Document::line_at(std::size_t offset) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  return static_cast<std::size_t>(after - line_starts_.begin());
}

Result<Document> read_document(FileSystem& fs, const std::string& path,
                               const DocumentLimits& limits) {
  std::string name(file_name(path));
  const bool gzipped = lower(extension_of(name)) == "gz";
  if (gzipped) name.resize(name.size() - 3);
  QUIPU_TRY(FileType type, type_by_name(lower(extension_of(name))));
  QUIPU_TRY(std::string content, load(fs, path, limits));
  if (gzipped) {
    QUIPU_TRY(content, gunzip(content, limits.text_bytes_max));
    if (content.empty()) {
      return Error{ErrorCode::kInvalidArgument, "it is empty", "document_empty"};
    }
  }
  QUIPU_TRY_OK(refuse_binary(content));
  if (type == FileType::kManualPage && !looks_like_roff(content)) type = FileType::kText;
  switch (type) {
    case FileType::kMarkdown: return read_markdown(std::move(content), name);
    case FileType::kHtml: return read_html(content, name, limits);
    case FileType::kManualPage: return read_manual_page(content, name, limits);
    case FileType::kText:
    case FileType::kRefused: break;
  }
  return read_plain(std::move(content), name);
}

}  // namespace quipu::text
