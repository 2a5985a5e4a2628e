#include "quipu/text/regex/pattern_parser.h"

#include <algorithm>
#include <optional>

#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::size_t kPatternBytesMax = 16'384;
constexpr std::size_t kPatternSetsMax = 512;
constexpr int kPatternDepthMax = 32;
constexpr std::uint32_t kRepeatMax = 1'000;
constexpr char32_t kEnd = 0xFFFFFFFF;  // what peek() gives behind the last character

bool is_ascii_letter(char32_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

// What the letters of ASCII are equal to without regard to case: each other, and two more.
CharSet ascii_case_closed(const CharSet& set) {
  CharSet out = set;
  const auto join = [&](char32_t c) { out = out.united(CharSet::of(c)); };
  for (char32_t lower = 'a'; lower <= 'z'; ++lower) {
    const char32_t upper = lower - 0x20;
    const char32_t third = lower == 's' ? 0x17F : lower == 'k' ? 0x212A : lower;
    if (!set.contains(lower) && !set.contains(upper) && !set.contains(third)) continue;
    join(lower);
    join(upper);
    join(third);
  }
  return out;
}

// Whether regard for case could matter to the set beyond ASCII and what its letters are equal to.
bool has_other_case(const CharSet& set) {
  static const CharSet& cased =
      *new CharSet(find_property("lc")->intersected(CharSet({{0x80, CharSet::kLast}})));
  const CharSet inside = ascii_case_closed(set).intersected(cased);
  const CharSet closed({{0x17F, 0x17F}, {0x212A, 0x212A}});
  return !inside.intersected(closed.complement()).empty() && inside != cased;
}

class PatternParser {
 public:
  explicit PatternParser(std::u32string pattern) : pattern_(std::move(pattern)) {}

  Result<ParsedPattern> parse() {
    QUIPU_TRY_OK(parse_alternatives(0));
    if (at_ < pattern_.size()) return invalid("an unmatched )");
    return std::move(out_);
  }

 private:
  struct Flags {
    bool ignore_case = false;
    bool dot_all = false;
  };

  [[nodiscard]] std::string here() const { return " at character " + std::to_string(at_); }
  [[nodiscard]] Error refuse(const std::string& what) const {
    return Error{ErrorCode::kUnimplemented, what + here() + " is not supported",
                 "tokenizer_unsupported"};
  }
  [[nodiscard]] Error invalid(const std::string& what) const {
    return Error{ErrorCode::kInvalidArgument, what + here()};
  }
  [[nodiscard]] char32_t peek(std::size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : kEnd;
  }
  bool take(char32_t c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool take(std::u32string_view text) {
    if (std::u32string_view(pattern_).substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }

  void emit(std::string structure) { out_.items.push_back({std::move(structure), -1}); }
  Status emit_set(const CharSet& set) {
    const auto found = std::find(out_.sets.begin(), out_.sets.end(), set);
    const auto index = static_cast<int>(found - out_.sets.begin());
    if (found == out_.sets.end()) {
      if (out_.sets.size() >= kPatternSetsMax) {
        return refuse("more than " + std::to_string(kPatternSetsMax) + " sets of characters");
      }
      out_.sets.push_back(set);
    }
    out_.items.push_back({"", index});
    return ok_status();
  }

  Status parse_alternatives(int depth);
  Status parse_item(int depth);
  Status parse_atom(int depth);
  Status parse_group(int depth);
  Status parse_options(int depth);
  Status parse_quantifiers(std::size_t begin);
  Status parse_braces(std::size_t begin, bool& quantified);
  Status parse_escape();
  Status emit_boundary(bool negated);
  Status emit_atom_set(const CharSet& set);
  Status emit_literal(char32_t c);
  Result<CharSet> parse_class(int depth);
  Result<CharSet> parse_class_operand(int depth);
  Result<CharSet> parse_class_item(int depth);
  Result<CharSet> parse_posix();
  Result<CharSet> parse_property();
  // The set that the escape means (\s, \p{L}); nothing, without moving, when it means none.
  Result<std::optional<CharSet>> parse_set_escape();
  // The character that the escape behind the backslash means.
  Result<char32_t> parse_character_escape();
  Result<char32_t> parse_hex(std::size_t digits_min, std::size_t digits_max);

  std::u32string pattern_;
  std::size_t at_ = 0;
  Flags flags_;
  char32_t last_folded_ = kEnd;  // the letter before, where case is ignored
  ParsedPattern out_;
};

Status PatternParser::parse_alternatives(int depth) {
  if (depth > kPatternDepthMax) {
    return refuse("nesting deeper than " + std::to_string(kPatternDepthMax));
  }
  const Flags outer = flags_;
  QUIPU_TRY_OK(parse_options(depth));
  while (at_ < pattern_.size() && peek() != ')') {
    if (take('|')) {
      emit("|");
      last_folded_ = kEnd;
      continue;
    }
    QUIPU_TRY_OK(parse_item(depth));
  }
  flags_ = outer;
  return ok_status();
}

// (?i) and the like, which hold for the rest of the group: understood at its beginning, where all
// syntaxes agree on what the rest is.
Status PatternParser::parse_options(int) {
  while (peek() == '(' && peek(1) == '?') {
    std::size_t end = at_ + 2;
    bool on = true;
    Flags flags = flags_;
    for (; end < pattern_.size(); ++end) {
      const char32_t c = pattern_[end];
      if (c == '-') {
        on = false;
      } else if (c == 'i') {
        flags.ignore_case = on;
      } else if (c == 'm') {
        flags.dot_all = on;
      } else {
        break;
      }
    }
    if (end == at_ + 2 || end >= pattern_.size() || pattern_[end] != ')') return ok_status();
    at_ = end + 1;
    flags_ = flags;
  }
  return ok_status();
}

Status PatternParser::parse_item(int depth) {
  const std::size_t begin = out_.items.size();
  const char32_t folded_before = last_folded_;
  last_folded_ = kEnd;
  QUIPU_TRY_OK(parse_atom(depth));
  const std::size_t atom_end = at_;
  QUIPU_TRY_OK(parse_quantifiers(begin));
  // Without regard to case Oniguruma takes some pairs for one character: "ss" for U+00DF.
  if (last_folded_ != kEnd && folded_before != kEnd) {
    const std::string pair = {static_cast<char>(folded_before), static_cast<char>(last_folded_)};
    for (const char* joined : {"ss", "ff", "fi", "fl", "st"}) {
      if (pair == joined) return refuse("(?i) with '" + pair + "'");
    }
  }
  if (at_ != atom_end) last_folded_ = kEnd;
  return ok_status();
}

Status PatternParser::parse_atom(int depth) {
  const char32_t c = peek();
  switch (c) {
    case '(': return parse_group(depth);
    case '[': {
      ++at_;
      QUIPU_TRY(const CharSet set, parse_class(depth + 1));
      return emit_atom_set(set);
    }
    case '.': {
      ++at_;
      return emit_set(flags_.dot_all ? CharSet::all() : CharSet::of('\n').complement());
    }
    case '^':
      ++at_;
      emit("(?:\\A|(?<=");
      QUIPU_TRY_OK(emit_set(CharSet::of('\n')));
      emit(")(?!\\z))");
      return ok_status();
    case '$':
      ++at_;
      emit("(?:(?=");
      QUIPU_TRY_OK(emit_set(CharSet::of('\n')));
      emit(")|\\z)");
      return ok_status();
    case '\\': return parse_escape();
    case '*':
    case '+':
    case '?': return invalid("nothing to repeat");
    default: ++at_; return emit_literal(c);
  }
}

Status PatternParser::parse_group(int depth) {
  ++at_;
  std::string open = "(?:";
  Flags flags = flags_;
  if (take(U"?")) {
    if (take(':')) {
    } else if (take('=')) {
      open = "(?=";
    } else if (take('!')) {
      open = "(?!";
    } else if (take('>')) {
      open = "(?>";
    } else if (take(U"<=")) {
      open = "(?<=";
    } else if (take(U"<!")) {
      open = "(?<!";
    } else if (take('<')) {
      while (at_ < pattern_.size() && peek() != '>') ++at_;
      if (!take('>')) return invalid("a group's name without an end");
    } else {
      bool on = true;
      while (peek() == 'i' || peek() == 'm' || peek() == '-') {
        if (peek() == '-') on = false;
        if (peek() == 'i') flags.ignore_case = on;
        if (peek() == 'm') flags.dot_all = on;
        ++at_;
      }
      if (peek() == ')') return refuse("an option that begins within a group");
      if (!take(':')) return refuse("this kind of group");
    }
  }
  emit(std::move(open));
  const Flags outer = flags_;
  flags_ = flags;
  last_folded_ = kEnd;
  QUIPU_TRY_OK(parse_alternatives(depth + 1));
  last_folded_ = kEnd;
  flags_ = outer;
  if (!take(')')) return invalid("a group without an end");
  emit(")");
  return ok_status();
}

Status PatternParser::parse_quantifiers(std::size_t begin) {
  const auto wrap = [&] {
    out_.items.insert(out_.items.begin() + static_cast<std::ptrdiff_t>(begin), {"(?:", -1});
    emit(")");
  };
  for (bool first = true;; first = false) {
    const char32_t c = peek();
    if (c == '*' || c == '+' || c == '?') {
      ++at_;
      if (!first) wrap();  // a** repeats what is repeated.
      std::string quantifier(1, static_cast<char>(c));
      if (take('?')) {
        quantifier += '?';
      } else if (take('+')) {
        quantifier += '+';
      }
      emit(std::move(quantifier));
      continue;
    }
    bool quantified = false;
    if (c == '{') {
      if (!first) wrap();
      QUIPU_TRY_OK(parse_braces(begin, quantified));
    }
    if (!quantified) return ok_status();
  }
}

// {n}, {n,}, {n,m} and {,m}; anything else is no quantifier but characters.
Status PatternParser::parse_braces(std::size_t begin, bool& quantified) {
  std::size_t at = at_ + 1;
  const auto read = [&]() -> std::optional<std::uint32_t> {
    std::optional<std::uint32_t> number;
    while (at < pattern_.size() && pattern_[at] >= '0' && pattern_[at] <= '9') {
      const std::uint32_t digit = static_cast<std::uint32_t>(pattern_[at++] - '0');
      number = std::min<std::uint32_t>(number.value_or(0) * 10 + digit, kRepeatMax + 1);
    }
    return number;
  };
  const std::optional<std::uint32_t> least = read();
  const bool comma = at < pattern_.size() && pattern_[at] == ',';
  if (comma) ++at;
  const std::optional<std::uint32_t> most = comma ? read() : least;
  if (at >= pattern_.size() || pattern_[at] != '}' || (!least && !most)) return ok_status();
  at_ = at + 1;
  quantified = true;
  if (least.value_or(0) > kRepeatMax || most.value_or(0) > kRepeatMax) {
    return refuse("a repetition of more than " + std::to_string(kRepeatMax));
  }
  if (most && least.value_or(0) > *most) return refuse("a repetition with its limits swapped");
  const bool fixed = !comma;
  emit("{" + std::to_string(least.value_or(0)) + (comma ? "," : "") +
       (comma && most ? std::to_string(*most) : "") + "}");
  // {n}? means {0,1} of it, as `+` behind braces is a repetition of its own: handled by the caller
  // as further quantifiers, which wrap what is before them.
  if (!fixed && take('?')) emit("?");
  if (peek() == '?' || peek() == '+' || peek() == '*' || peek() == '{') {
    out_.items.insert(out_.items.begin() + static_cast<std::ptrdiff_t>(begin), {"(?:", -1});
    emit(")");
  }
  return ok_status();
}

Status PatternParser::emit_boundary(bool negated) {
  const CharSet word = *find_property("word");
  emit(negated ? "(?:(?<=" : "(?:(?<!");
  QUIPU_TRY_OK(emit_set(word));
  emit(")(?=");
  QUIPU_TRY_OK(emit_set(word));
  emit(negated ? ")|(?<!" : ")|(?<=");
  QUIPU_TRY_OK(emit_set(word));
  emit(")(?!");
  QUIPU_TRY_OK(emit_set(word));
  emit("))");
  return ok_status();
}

Status PatternParser::parse_escape() {
  switch (peek(1)) {
    case 'A':
      at_ += 2;
      emit("\\A");
      return ok_status();
    case 'z':
      at_ += 2;
      emit("\\z");
      return ok_status();
    case 'Z':
      at_ += 2;
      emit("(?=(?:");
      QUIPU_TRY_OK(emit_set(CharSet::of('\n')));
      emit(")?\\z)");
      return ok_status();
    case 'b': at_ += 2; return emit_boundary(false);
    case 'B': at_ += 2; return emit_boundary(true);
    default: break;
  }
  QUIPU_TRY(const std::optional<CharSet> set, parse_set_escape());
  if (set.has_value()) return emit_atom_set(*set);
  QUIPU_TRY(const char32_t c, parse_character_escape());
  return emit_literal(c);
}

Status PatternParser::emit_atom_set(const CharSet& set) {
  if (!flags_.ignore_case) return emit_set(set);
  if (has_other_case(set)) return refuse("(?i) with letters beyond ASCII");
  return emit_set(ascii_case_closed(set));
}

Status PatternParser::emit_literal(char32_t c) {
  if (flags_.ignore_case && is_ascii_letter(c)) last_folded_ = c | 0x20;
  return emit_atom_set(CharSet::of(c));
}

Result<std::optional<CharSet>> PatternParser::parse_set_escape() {
  const char32_t c = peek(1);
  const char32_t lower = c | 0x20;
  if (c == 'p' || c == 'P') {
    QUIPU_TRY(CharSet set, parse_property());
    return std::optional<CharSet>(std::move(set));
  }
  if (lower != 's' && lower != 'd' && lower != 'w' && lower != 'h') {
    return std::optional<CharSet>();
  }
  at_ += 2;
  CharSet set = lower == 's'   ? *find_property("space")
                : lower == 'd' ? *find_property("nd")
                : lower == 'w' ? *find_property("word")
                               : CharSet({{'0', '9'}, {'A', 'F'}, {'a', 'f'}});
  return std::optional<CharSet>(c == lower ? std::move(set) : set.complement());
}

// \p{L}, \P{L}, \p{^L}.
Result<CharSet> PatternParser::parse_property() {
  bool negated = peek(1) == 'P';
  at_ += 2;
  if (!take('{')) return refuse("\\p without {");
  if (take('^')) negated = !negated;
  std::string name;
  while (at_ < pattern_.size() && peek() != '}') append_utf8(name, pattern_[at_++]);
  if (!take('}')) return invalid("\\p{ without }");
  const CharSet* const set = find_property(name);
  if (set == nullptr) return refuse("\\p{" + name + "}");
  return negated ? set->complement() : *set;
}

Result<char32_t> PatternParser::parse_hex(std::size_t digits_min, std::size_t digits_max) {
  char32_t value = 0;
  std::size_t digits = 0;
  for (; digits < digits_max; ++digits, ++at_) {
    const char32_t c = peek();
    const char32_t lower = c | 0x20;
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f' && c != kEnd) {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      break;
    }
  }
  if (digits < digits_min) return invalid("too few hexadecimal digits");
  if (value > CharSet::kLast || (value >= 0xD800 && value <= 0xDFFF)) {
    return invalid("an escape beyond Unicode");
  }
  return value;
}

Result<char32_t> PatternParser::parse_character_escape() {
  ++at_;
  const char32_t c = peek();
  if (c == kEnd) return invalid("a backslash at the end");
  ++at_;
  switch (c) {
    case 't': return char32_t{'\t'};
    case 'n': return char32_t{'\n'};
    case 'r': return char32_t{'\r'};
    case 'f': return char32_t{'\f'};
    case 'v': return char32_t{'\v'};
    case 'a': return char32_t{'\a'};
    case 'e': return char32_t{0x1B};
    case 'u': return parse_hex(4, 4);
    case 'x': {
      if (take('{')) {
        QUIPU_TRY(const char32_t value, parse_hex(1, 8));
        if (!take('}')) return invalid("\\x{ without }");
        return value;
      }
      QUIPU_TRY(const char32_t value, parse_hex(1, 2));
      // Beyond ASCII it would be a byte of a character.
      if (value > 0x7F) return refuse("\\x beyond 7F without braces");
      return value;
    }
    default: break;
  }
  if (is_ascii_letter(c) || (c >= '0' && c <= '9')) {
    std::string name = "\\";
    append_utf8(name, c);
    return refuse(name);
  }
  return c;
}

// Behind the opening bracket, to behind the closing one.
Result<CharSet> PatternParser::parse_class(int depth) {
  if (depth > kPatternDepthMax) {
    return refuse("nesting deeper than " + std::to_string(kPatternDepthMax));
  }
  const bool negated = take('^');
  std::optional<CharSet> set;
  do {
    QUIPU_TRY(CharSet operand, parse_class_operand(depth));
    set = set.has_value() ? set->intersected(operand) : std::move(operand);
  } while (take(U"&&"));
  if (!take(']')) return invalid("a class without an end");
  return negated ? set->complement() : *set;
}

Result<CharSet> PatternParser::parse_class_operand(int depth) {
  CharSet set;
  bool first = true;
  while (at_ < pattern_.size() && (peek() != ']' || first)) {
    if (peek() == '&' && peek(1) == '&') break;
    // "[]" holds the bracket; Oniguruma warns and does the same.
    QUIPU_TRY(const CharSet item, parse_class_item(depth));
    set = set.united(item);
    first = false;
  }
  return set;
}

Result<CharSet> PatternParser::parse_class_item(int depth) {
  if (peek() == '[') {
    if (peek(1) == ':') return parse_posix();
    ++at_;
    return parse_class(depth + 1);
  }
  char32_t first = peek();
  if (first == '\\') {
    QUIPU_TRY(std::optional<CharSet> set, parse_set_escape());
    if (set.has_value()) return std::move(*set);
    QUIPU_TRY(first, parse_character_escape());
  } else {
    ++at_;
  }
  if (peek() != '-' || peek(1) == ']' || peek(1) == kEnd) return CharSet::of(first);
  if (peek(1) == '[' || (peek(1) == '&' && peek(2) == '&')) return refuse("this use of -");
  ++at_;
  char32_t last = peek();
  if (last == '\\') {
    const std::size_t escape = at_;
    QUIPU_TRY(const std::optional<CharSet> set, parse_set_escape());
    if (set.has_value()) {
      at_ = escape;
      return refuse("a set at a range's end");
    }
    QUIPU_TRY(last, parse_character_escape());
  } else {
    ++at_;
  }
  if (last < first) return invalid("a range that ends before it begins");
  return CharSet({{first, last}});
}

// [:alpha:] within a class.
Result<CharSet> PatternParser::parse_posix() {
  static constexpr std::string_view kKnown[] = {"alpha", "digit", "space", "alnum",
                                                "upper", "lower", "word"};
  at_ += 2;
  const bool negated = take('^');
  std::string name;
  while (at_ < pattern_.size() && peek() != ':' && peek() != ']') {
    append_utf8(name, pattern_[at_++]);
  }
  if (!take(U":]")) return refuse("[: in a class");
  if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
    return refuse("[:" + name + ":]");
  }
  const CharSet& set = *find_property(name);
  return negated ? set.complement() : set;
}

}  // namespace

Result<ParsedPattern> parse_pattern(std::string_view pattern) {
  if (pattern.size() > kPatternBytesMax) {
    return Error{ErrorCode::kInvalidArgument, "has " + std::to_string(pattern.size()) +
                                                  " bytes; the limit is " +
                                                  std::to_string(kPatternBytesMax)};
  }
  if (find_invalid_utf8(pattern) != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "is not UTF-8"};
  }
  std::u32string decoded;
  for (std::size_t at = 0; at < pattern.size();) {
    const DecodedChar c = decode_utf8(pattern.data() + at);
    decoded += c.value;
    at += c.size;
  }
  return PatternParser(std::move(decoded)).parse();
}

}  // namespace quipu::text
