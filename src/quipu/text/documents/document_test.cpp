// Goal: every reader keeps the text, names the section that each byte is in, and refuses by name
// what it cannot read; hostile input costs bounded time and memory.
#include "quipu/text/documents/document.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/text/documents/child_process.h"
#include "quipu/text/documents/utf8.h"

namespace quipu::text {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "quipu-documents-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name, std::string_view content) const {
    const std::string path = (path_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  fs::path path_;
};

std::string gzipped(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string_view body(const Document& document, std::size_t section) {
  const Section& place = document.sections.at(section);
  return std::string_view(document.text).substr(place.offset, place.size);
}

void expect_refusal(const Result<Document>& read, std::string_view reason) {
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().stable_reason(), reason) << read.error().message;
}

bool have_mandoc() { return run_child({"mandoc", "-T", "utf8"}, ".TH A 1\n", {}).ok(); }

constexpr std::string_view kPage = R"(.TH PARK 1 2024-01-01 "park 1.0" "User Commands"
.SH NAME
park \- find the place where a car was left
.SH DESCRIPTION
Prints the
.B place
of the car.
.SS "Several cars"
One line each.
.SH OPTIONS
.TP
\fB\-c\fR
Counts the cars.
)";

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_FALSE(first_invalid_utf8(""));
  EXPECT_FALSE(first_invalid_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  const std::array<std::string, 9> bad = {
      "\x80",         "\xc0\xaf",         "\xc1\x81",         "\xe0\x80\x80",
      "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80",
      "\xe2\x82"};
  for (const std::string& text : bad) EXPECT_EQ(first_invalid_utf8("ab" + text), 2U);
  EXPECT_EQ(first_invalid_utf8("\xe2\x28\xa1"), 0U);
}

TEST(Utf8, FloorKeepsCharactersWhole) {
  const std::string text =
      "a\xe2\x82\xac"
      "b";
  EXPECT_EQ(utf8_floor(text, 0), 0U);
  EXPECT_EQ(utf8_floor(text, 2), 1U);
  EXPECT_EQ(utf8_floor(text, 3), 1U);
  EXPECT_EQ(utf8_floor(text, 4), 4U);
  EXPECT_EQ(utf8_floor(text, 99), 5U);
}

TEST(PlainReader, KeepsTheFileAndItsLines) {
  const Result<Document> read = read_plain("\xef\xbb\xbfone\ntwo\r\nthree", "notes.txt");
  ASSERT_TRUE(read.ok());
  const Document& document = read.value();
  EXPECT_EQ(document.title, "notes.txt");
  ASSERT_EQ(document.sections.size(), 1U);
  EXPECT_EQ(document.sections[0].offset, 3U);  // after the byte order mark
  EXPECT_EQ(document.line_at(0), 1U);
  EXPECT_EQ(document.line_at(6), 1U);
  EXPECT_EQ(document.line_at(7), 2U);
  EXPECT_EQ(document.line_at(document.text.size() - 1), 3U);
}

TEST(PlainReader, RefusesWhatIsNoText) {
  expect_refusal(read_plain("caf\xe9", "a.txt"), "document_not_utf8");
  EXPECT_NE(read_plain("caf\xe9", "a.txt").error().message.find("offset 3"), std::string::npos);
  expect_refusal(read_plain(" \n\t ", "a.txt"), "document_empty");
}

TEST(MarkdownReader, FollowsHeadings) {
  const Result<Document> read = read_markdown(
      "intro\n# Top #\nalpha\n## *Sub* `x`\nbeta\n```sh\n# no heading\n```\nUnder\n=====\ngamma\n",
      "a.md");
  ASSERT_TRUE(read.ok());
  const Document& document = read.value();
  EXPECT_EQ(document.title, "Top");
  ASSERT_EQ(document.sections.size(), 4U);
  EXPECT_EQ(document.sections[0].heading, "");
  EXPECT_EQ(body(document, 0), "intro\n");
  EXPECT_EQ(document.sections[1].heading, "Top");
  EXPECT_EQ(body(document, 1), "alpha\n");
  EXPECT_EQ(document.sections[2].heading, "Top > Sub x");
  EXPECT_EQ(body(document, 2), "beta\n```sh\n# no heading\n```\n");
  EXPECT_EQ(document.sections[3].heading, "Under");
  EXPECT_EQ(body(document, 3), "gamma\n");
  EXPECT_EQ(document.line_at(document.sections[3].offset), 11U);
}

TEST(MarkdownReader, LeavesFrontMatterOutAndRulesAlone) {
  const Result<Document> read = read_markdown("---\ntitle: x\n---\ntext\n\n---\n\nmore\n", "b.md");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().title, "b.md");
  ASSERT_EQ(read.value().sections.size(), 1U);
  EXPECT_EQ(body(read.value(), 0), "text\n\n---\n\nmore\n");
}

TEST(HtmlReader, ReadsWhatAReaderSees) {
  const Result<Document> read = read_html(
      "<html><head><title>A &amp; B</title><style>p{}</style></head><body><p>intro  <b>bold</b>"
      "<script>var x = '<h1>no</h1>';</script><h1>One</h1><p>first<br>line</p><h2>Two</h2>"
      "<pre>a  b\n  c</pre><ul><li>caf&eacute;</li></ul></body></html>",
      "x.html", {});
  ASSERT_TRUE(read.ok()) << read.error().message;
  const Document& document = read.value();
  EXPECT_EQ(document.title, "A & B");
  ASSERT_EQ(document.sections.size(), 3U);
  EXPECT_EQ(body(document, 0), "intro bold\n");
  EXPECT_EQ(document.sections[1].heading, "One");
  EXPECT_EQ(body(document, 1), "first\nline\n");
  EXPECT_EQ(document.sections[2].heading, "One > Two");
  EXPECT_EQ(body(document, 2), "a  b\n  c\ncaf\xc3\xa9\n");
}

TEST(HtmlReader, SurvivesWhatIsBroken) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<div>";
  const Result<Document> read = read_html(deep + "text", "x.html", {});
  if (read.ok()) {
    EXPECT_FALSE(first_invalid_utf8(read.value().text));
  }
  expect_refusal(read_html("<p></p>", "x.html", {}), "document_empty");
  DocumentLimits small;
  small.text_bytes_max = 8;
  expect_refusal(read_html("<p>123456789</p>", "x.html", small), "document_too_large");
  Rng rng(test_seed());
  const std::string_view alphabet = "<>/=\"'&;!-h1p script\xc3\xa9\xff\n";
  for (int round = 0; round < 500; ++round) {
    std::string page;
    for (std::uint64_t i = rng.below(200); i > 0; --i) page += alphabet[rng.below(alphabet.size())];
    const Result<Document> any = read_html(page, "x", {});
    if (!any.ok()) continue;
    for (const Section& section : any.value().sections) {
      ASSERT_LE(section.offset + section.size, any.value().text.size());
      ASSERT_GT(section.size, 0U);
    }
  }
}

TEST(ManualPageReader, KeepsHeadingsOfARendering) {
  const Document document = parse_rendered_manual_page(
      "PARK(1)    User Commands    PARK(1)\n\nN\bNA\bAM\bME\bE\n       park - find\n\n"
      "O\bOP\bPT\bTS\bS\n   M\bMo\bor\bre\be\n       -\b-c\bc _\bf_\bi  counts\n\n"
      "park 1.0     2024      PARK(1)\n",
      "park.1");
  EXPECT_EQ(document.title, "park(1)");
  ASSERT_EQ(document.sections.size(), 2U);
  EXPECT_EQ(document.sections[0].heading, "NAME");
  EXPECT_EQ(body(document, 0), "       park - find\n\n");
  EXPECT_EQ(document.sections[1].heading, "OPTS > More");
  EXPECT_EQ(body(document, 1), "       -c fi  counts\n\n");
  EXPECT_EQ(document.line_at(document.sections[1].offset), 8U);
}

TEST(ManualPageReader, RendersThroughMandoc) {
  if (!have_mandoc()) GTEST_SKIP() << "mandoc is not installed";
  const Result<Document> read = read_manual_page(kPage, "park.1", {});
  ASSERT_TRUE(read.ok()) << read.error().message;
  const Document& document = read.value();
  EXPECT_EQ(document.title, "park(1)");
  ASSERT_EQ(document.sections.size(), 4U);
  EXPECT_EQ(document.sections[0].heading, "NAME");
  EXPECT_EQ(document.sections[1].heading, "DESCRIPTION");
  EXPECT_EQ(document.sections[2].heading, "DESCRIPTION > Several cars");
  EXPECT_EQ(document.sections[3].heading, "OPTIONS");
  EXPECT_NE(body(document, 3).find("-c     Counts the cars."), std::string_view::npos);
  EXPECT_EQ(document.text.find('\b'), std::string::npos);
}

TEST(ManualPageReader, RefusesAliasesAndReadsNoOtherFile) {
  expect_refusal(read_manual_page(".\\\" comment\n.so man1/other.1\n", "a.1", {}),
                 "document_alias");
  if (!have_mandoc()) GTEST_SKIP() << "mandoc is not installed";
  const Result<Document> read = read_manual_page(
      ".TH A 1\n.SH B\nhello\n.so etc/passwd\n.so ../../etc/passwd\n.so /etc/passwd\n", "a.1", {});
  if (read.ok()) {
    EXPECT_EQ(read.value().text.find("root:"), std::string::npos);
  }
}

TEST(ReadDocument, TellsTypesApart) {
  const TemporaryFolder folder;
  FileSystem& files = posix_file_system();
  const auto read = [&](const std::string& name, std::string_view content) {
    return read_document(files, folder.file(name, content), {});
  };
  expect_refusal(read("a.pdf", "x"), "document_type");
  expect_refusal(read("b.PNG", "x"), "document_type");
  expect_refusal(read("c", "%PDF-1.4"), "document_type");
  expect_refusal(read("d", std::string_view("a\0b", 3)), "document_binary");
  expect_refusal(read("e.txt", ""), "document_empty");
  EXPECT_EQ(read("f.md", "# T\nx").value().format, DocumentFormat::kMarkdown);
  EXPECT_EQ(read("notes.1", "plain words").value().format, DocumentFormat::kPlain);
  EXPECT_EQ(read("g.html", "<p>x").value().format, DocumentFormat::kHtml);
  EXPECT_EQ(read("Makefile", "all:\n").value().format, DocumentFormat::kPlain);
  EXPECT_EQ(read("h.txt.gz", gzipped("words")).value().text, "words");
  expect_refusal(read("i.txt.gz", "no gzip"), "document_malformed");
  EXPECT_EQ(read_document(files, "/no/such/file.txt", {}).error().code, ErrorCode::kNotFound);
  if (have_mandoc()) {
    EXPECT_EQ(read("park.1.gz", gzipped(kPage)).value().format, DocumentFormat::kManualPage);
  }
}

TEST(ReadDocument, HoldsItsLimits) {
  const TemporaryFolder folder;
  DocumentLimits limits;
  limits.file_bytes_max = 10;
  FileSystem& files = posix_file_system();
  EXPECT_TRUE(read_document(files, folder.file("a", "0123456789"), limits).ok());
  expect_refusal(read_document(files, folder.file("b", "0123456789a"), limits),
                 "document_too_large");
  limits.file_bytes_max = 1U << 20;
  limits.text_bytes_max = 1000;
  const std::string bomb = gzipped(std::string(1'000'000, 'a'));
  expect_refusal(read_document(files, folder.file("c.gz", bomb), limits), "document_too_large");
}

TEST(Gunzip, ReadsMembersAndRefusesDamage) {
  const std::string one = gzipped("one");
  EXPECT_EQ(gunzip(one + gzipped("two"), 100).value(), "onetwo");
  for (std::size_t size = 1; size < one.size(); ++size) {
    EXPECT_FALSE(gunzip(std::string_view(one).substr(0, size), 100).ok()) << size;
  }
  EXPECT_TRUE(gunzip(one, 3).ok());
  EXPECT_FALSE(gunzip(one, 2).ok());
}

TEST(ChildProcess, FeedsAndReadsMoreThanPipesHold) {
  const std::string input(3'000'000, 'x');
  const Result<std::string> output = run_child({"cat"}, input, {});
  ASSERT_TRUE(output.ok()) << output.error().message;
  EXPECT_TRUE(output.value() == input);
}

TEST(ChildProcess, HoldsItsLimits) {
  EXPECT_EQ(run_child({"quipu-no-such-program"}, "", {}).error().stable_reason(), "reader_missing");
  ChildLimits quick;
  quick.time_max = std::chrono::milliseconds(100);
  EXPECT_EQ(run_child({"tail", "-f", "/dev/null"}, "", quick).error().stable_reason(),
            "document_time");
  ChildLimits narrow;
  narrow.output_bytes_max = 1000;
  EXPECT_EQ(run_child({"yes"}, "", narrow).error().stable_reason(), "document_too_large");
  EXPECT_EQ(run_child({"sh", "-c", "kill -9 $$"}, "", {}).error().stable_reason(),
            "document_malformed");
}

}  // namespace
}  // namespace quipu::text
