#include "quipu/text/regex/char_pattern.h"

#include <algorithm>
#include <map>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "quipu/text/regex/pattern_parser.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::uint32_t kMatchStepsMax = 10'000'000;
constexpr std::uint32_t kMatchHeapKibMax = 64 * 1024;
constexpr std::size_t kJitStackBytesMin = 64 * 1024;
constexpr std::size_t kJitStackBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kKindsMax = 256;
constexpr std::size_t kKindBlock = 128;
constexpr std::size_t kCodePointCount = 0x110000;

// Characters that are in exactly the same sets are of one kind.
struct KindTable {
  std::vector<std::uint8_t> flat;                  // of every code point
  std::vector<std::vector<std::uint8_t>> members;  // the kinds of each set
};

Result<KindTable> number_kinds(const std::vector<CharSet>& sets) {
  struct Edge {
    char32_t at;
    std::size_t set;
    bool enters;
  };
  std::vector<Edge> edges;
  for (std::size_t set = 0; set < sets.size(); ++set) {
    for (const CharSet::Range& range : sets[set].ranges()) {
      edges.push_back({range.first, set, true});
      edges.push_back({range.last + 1, set, false});
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
  KindTable table{std::vector<std::uint8_t>(kCodePointCount),
                  std::vector<std::vector<std::uint8_t>>(sets.size())};
  std::map<std::vector<bool>, std::uint8_t> known;
  std::vector<bool> inside(sets.size(), false);
  char32_t from = 0;
  for (std::size_t next = 0;; ++next) {
    const char32_t to = next < edges.size() ? edges[next].at : kCodePointCount;
    if (from < to) {
      if (known.size() == kKindsMax && known.find(inside) == known.end()) {
        return Error{ErrorCode::kUnimplemented,
                     "a pattern that tells more than " + std::to_string(kKindsMax) +
                         " kinds of characters apart is not supported",
                     "tokenizer_unsupported"};
      }
      const auto [kind, is_new] = known.emplace(inside, static_cast<std::uint8_t>(known.size()));
      for (std::size_t set = 0; is_new && set < sets.size(); ++set) {
        if (inside[set]) table.members[set].push_back(kind->second);
      }
      std::fill(table.flat.begin() + from, table.flat.begin() + to, kind->second);
      from = to;
    }
    if (next == edges.size()) return table;
    inside[edges[next].set] = edges[next].enters;
  }
}

std::string pattern_of_kinds(const ParsedPattern& parsed, const KindTable& table) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const ParsedPattern::Item& item : parsed.items) {
    out += item.structure;
    if (item.set < 0) continue;
    const std::vector<std::uint8_t>& kinds = table.members[static_cast<std::size_t>(item.set)];
    if (kinds.empty()) {
      out += "(?!)";
      continue;
    }
    if (kinds.size() > 1) out += '[';
    for (const std::uint8_t kind : kinds) {
      out += "\\x";
      out += kHex[kind >> 4];
      out += kHex[kind & 15];
    }
    if (kinds.size() > 1) out += ']';
  }
  return out;
}

std::string pcre2_message(int code) {
  PCRE2_UCHAR text[256];
  if (pcre2_get_error_message(code, text, sizeof(text)) < 0) return std::to_string(code);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct CharPattern::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  ~Code() { pcre2_code_free(code); }
};

struct PatternMatcher::State {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(kJitStackBytesMin, kJitStackBytesMax, nullptr);
  std::string kinds;  // of the text

  State() {
    pcre2_set_match_limit(context, kMatchStepsMax);
    pcre2_set_heap_limit(context, kMatchHeapKibMax);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

PatternMatcher::PatternMatcher() = default;
PatternMatcher::~PatternMatcher() = default;
PatternMatcher::PatternMatcher(PatternMatcher&&) noexcept = default;
PatternMatcher& PatternMatcher::operator=(PatternMatcher&&) noexcept = default;

CharPattern::CharPattern() = default;
CharPattern::~CharPattern() = default;

Result<std::shared_ptr<const CharPattern>> CharPattern::compile(std::string_view pattern) {
  std::shared_ptr<CharPattern> out(new CharPattern());
  QUIPU_TRY_OK(out->compile_kinds(pattern));
  return std::shared_ptr<const CharPattern>(std::move(out));
}

Status CharPattern::compile_kinds(std::string_view pattern) {
  QUIPU_TRY(const ParsedPattern parsed, parse_pattern(pattern));
  QUIPU_TRY(const KindTable table, number_kinds(parsed.sets));
  std::map<std::string, std::uint16_t> places;
  for (std::size_t start = 0; start < kCodePointCount; start += kKindBlock) {
    const auto begin = table.flat.begin() + static_cast<std::ptrdiff_t>(start);
    std::string block(begin, begin + kKindBlock);
    const auto [place, is_new] =
        places.emplace(std::move(block), static_cast<std::uint16_t>(places.size()));
    if (is_new) kinds_.insert(kinds_.end(), begin, begin + kKindBlock);
    blocks_.push_back(place->second);
  }
  const std::string kinds = pattern_of_kinds(parsed, table);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_ = std::make_unique<Code>();
  code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kinds.data()), kinds.size(), 0, &error,
                              &offset, nullptr);
  if (code_->code == nullptr) {
    return Error{
        ErrorCode::kUnimplemented,
        "a pattern that the library refuses (" + pcre2_message(error) + ") is not supported",
        "tokenizer_unsupported"};
  }
  // Where no code may be made at run time, the library interprets the pattern instead.
  code_->jit = pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE) == 0;
  return ok_status();
}

Result<std::shared_ptr<const CharPattern>> CharPattern::literal(std::string_view text) {
  if (find_invalid_utf8(text) != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "is not UTF-8"};
  }
  std::shared_ptr<CharPattern> out(new CharPattern());
  for (std::size_t at = 0; at < text.size();) {
    const DecodedChar c = decode_utf8(text.data() + at);
    out->literal_ += c.value;
    at += c.size;
  }
  return std::shared_ptr<const CharPattern>(std::move(out));
}

void CharPattern::find_literal(std::span<const AlignedChar> text,
                               std::vector<Match>& matches) const {
  const std::size_t size = literal_.size();
  for (std::size_t at = 0; at + size <= text.size();) {
    std::size_t same = 0;
    while (same < size && text[at + same].value == literal_[same]) ++same;
    if (same < size) {
      ++at;
      continue;
    }
    matches.push_back({at, at + size});
    at += std::max<std::size_t>(size, 1);
  }
}

Status CharPattern::find_all(std::span<const AlignedChar> text, PatternMatcher& matcher,
                             std::vector<Match>& matches) const {
  matches.clear();
  if (code_ == nullptr) {
    find_literal(text, matches);
    return ok_status();
  }
  if (matcher.state_ == nullptr) matcher.state_ = std::make_unique<PatternMatcher::State>();
  PatternMatcher::State& state = *matcher.state_;
  state.kinds.resize(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i].value;
    state.kinds[i] = static_cast<char>(kinds_[blocks_[c >> 7] * kKindBlock + (c & 127)]);
  }
  const auto subject = reinterpret_cast<PCRE2_SPTR>(state.kinds.data());
  const PCRE2_SIZE* const found = pcre2_get_ovector_pointer(state.data);
  const auto match = code_->jit ? pcre2_jit_match : pcre2_match;
  bool matched = false;  // before, ending at last_end
  std::size_t last_end = 0;
  for (std::size_t from = 0; from <= text.size();) {
    const int result = match(code_->code, subject, text.size(), from, 0, state.data, state.context);
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      return Error{ErrorCode::kResourceExhausted,
                   "a regular expression of the tokenizer gave up: " + pcre2_message(result),
                   "regex_limit"};
    }
    if (found[0] == found[1] && matched && found[1] == last_end) {
      ++from;
      continue;
    }
    matches.push_back({found[0], found[1]});
    matched = true;
    last_end = from = found[1];
  }
  return ok_status();
}

}  // namespace quipu::text
