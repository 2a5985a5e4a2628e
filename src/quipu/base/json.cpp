#include "quipu/base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "quipu/assert.h"
#include "quipu/base/json_scan.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

// A view is a place on simdjson's tape, whose layout its documentation fixes: one 64-bit word for
// each value, the type in the high byte and the rest below; a number's value is in a second word; a
// string's word points into the string buffer; a container's opening word holds the place after
// its closing word and, saturating at 24 bits, how many values it has.
namespace quipu {
namespace {

using simdjson::dom::document;

constexpr std::uint64_t kPayloadMask = (std::uint64_t{1} << 56U) - 1;
constexpr std::uint64_t kCountMask = (std::uint64_t{1} << 24U) - 1;
constexpr std::size_t kRootPlace = 1;  // place 0 describes the tape itself

// A parser's buffers are kept for the thread's next text, unless that would hold on to much memory.
constexpr std::size_t kKeptCapacityMax = std::size_t{64} << 10U;

const document& as_document(const void* opaque) { return *static_cast<const document*>(opaque); }

char type_at(const document& doc, std::size_t place) {
  return static_cast<char>(doc.tape[place] >> 56U);
}

bool is_container(char type) { return type == '[' || type == '{'; }

// The place after the value at `place`.
std::size_t place_after(const document& doc, std::size_t place) {
  switch (type_at(doc, place)) {
    case '[':
    case '{': return static_cast<std::size_t>(doc.tape[place] & 0xFFFF'FFFFU);
    case 'l':
    case 'u':
    case 'd': return place + 2;
    default: return place + 1;
  }
}

// The place of a container's closing word, where a walk over its content ends.
std::size_t end_of(const document& doc, std::size_t place) { return place_after(doc, place) - 1; }

std::string_view string_at(const document& doc, std::size_t place) {
  const std::uint8_t* const at = doc.string_buf.get() + (doc.tape[place] & kPayloadMask);
  std::uint32_t size = 0;
  std::memcpy(&size, at, sizeof(size));
  return {reinterpret_cast<const char*>(at) + sizeof(size), size};
}

Error malformed(std::string message) {
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = "malformed JSON: " + std::move(message),
               .reason = "malformed_json"};
}

// Walks a parsed tape for what the parser lets pass: duplicate members, and empty containers that
// are one level too deep. The recursion is bounded by that same limit.
class TapeCheck {
 public:
  explicit TapeCheck(const document& doc) : doc_(doc) {}

  std::optional<Error> run() {
    if (check(kRootPlace, 1)) return std::nullopt;
    std::string path = "$";
    for (auto step = path_.rbegin(); step != path_.rend(); ++step) path += *step;
    if (too_deep_) {
      return malformed("arrays and objects are nested deeper than " +
                       std::to_string(limits::kJsonDepthMax) + " at " + path);
    }
    return Error{
        .code = ErrorCode::kInvalidArgument,
        .message = "member " + in_quotes(duplicate_) + " is twice in the object at " + path,
        .reason = "duplicate_member"};
  }

 private:
  // `depth` is that of the value itself when it is a container.
  bool check(std::size_t place, std::size_t depth) {
    const char type = type_at(doc_, place);
    if (!is_container(type)) return true;
    if (depth > limits::kJsonDepthMax) {
      too_deep_ = true;
      return false;
    }
    return type == '{' ? check_object(place, depth) : check_array(place, depth);
  }

  bool check_array(std::size_t place, std::size_t depth) {
    const std::size_t end = end_of(doc_, place);
    std::size_t index = 0;
    for (std::size_t at = place + 1; at < end; at = place_after(doc_, at), ++index) {
      if (check(at, depth + 1)) continue;
      path_.push_back("[" + std::to_string(index) + "]");
      return false;
    }
    return true;
  }

  bool check_object(std::size_t place, std::size_t depth) {
    const std::size_t end = end_of(doc_, place);
    const std::size_t first_key = keys_.size();
    for (std::size_t at = place + 1; at < end;) {
      const std::string_view key = string_at(doc_, at);
      keys_.push_back(key);
      ++at;
      if (!check(at, depth + 1)) {
        path_.push_back("." + in_quotes(key));
        return false;
      }
      at = place_after(doc_, at);
    }
    const bool distinct = check_keys(first_key);
    keys_.resize(first_key);
    return distinct;
  }

  bool check_keys(std::size_t first) {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, keys_.end());
    const auto twice = std::adjacent_find(begin, keys_.end());
    if (twice == keys_.end()) return true;
    duplicate_ = std::string(*twice);
    return false;
  }

  const document& doc_;
  std::vector<std::string_view> keys_;  // of every object that we are in, outermost first
  std::vector<std::string> path_;       // to the problem, innermost step first
  std::string duplicate_;
  bool too_deep_ = false;
};

std::optional<Error> scan_problem(std::string_view text) {
  const std::optional<detail::JsonProblem> problem =
      detail::find_json_problem(text, limits::kJsonDepthMax);
  if (!problem.has_value()) return std::nullopt;
  return malformed(std::string(problem->what) + " at " +
                   detail::describe_json_place(text, problem->offset));
}

simdjson::error_code parse_into(document& doc, simdjson::dom::parser& parser,
                                std::string_view text) {
  if (parser.capacity() < text.size() || parser.capacity() == 0) {
    // One more than the limit: the parser counts the document itself as a level.
    const simdjson::error_code error =
        parser.allocate(std::max<std::size_t>(text.size(), 1024), limits::kJsonDepthMax + 1);
    if (error != simdjson::SUCCESS) return error;
  }
  return parser.parse_into_document(doc, text.data(), text.size()).error();
}

void write_value(JsonWriter& out, const document& doc, std::size_t place) {
  switch (type_at(doc, place)) {
    case '{': {
      out.begin_object();
      for (std::size_t at = place + 1; at < end_of(doc, place); at = place_after(doc, at + 1)) {
        out.key(string_at(doc, at));
        write_value(out, doc, at + 1);
      }
      out.end_object();
      return;
    }
    case '[': {
      out.begin_array();
      for (std::size_t at = place + 1; at < end_of(doc, place); at = place_after(doc, at)) {
        write_value(out, doc, at);
      }
      out.end_array();
      return;
    }
    case '"': out.value(string_at(doc, place)); return;
    case 'l': out.value(std::bit_cast<std::int64_t>(doc.tape[place + 1])); return;
    case 'u': out.value(std::uint64_t{doc.tape[place + 1]}); return;
    case 'd': out.value(std::bit_cast<double>(doc.tape[place + 1])); return;
    case 't': out.value(true); return;
    case 'f': out.value(false); return;
    default: out.null(); return;
  }
}

}  // namespace

std::string_view json_kind_name(JsonKind kind) noexcept {
  switch (kind) {
    case JsonKind::kNull: return "null";
    case JsonKind::kBool: return "boolean";
    case JsonKind::kInt:
    case JsonKind::kUint: return "integer";
    case JsonKind::kDouble: return "number";
    case JsonKind::kString: return "string";
    case JsonKind::kArray: return "array";
    case JsonKind::kObject: return "object";
  }
  QUIPU_ASSERT(false && "a JsonKind out of range");
  return "";
}

JsonKind JsonView::kind() const noexcept {
  if (document_ == nullptr) return JsonKind::kNull;
  switch (type_at(as_document(document_), index_)) {
    case '{': return JsonKind::kObject;
    case '[': return JsonKind::kArray;
    case '"': return JsonKind::kString;
    case 'l': return JsonKind::kInt;
    case 'u': return JsonKind::kUint;
    case 'd': return JsonKind::kDouble;
    case 't':
    case 'f': return JsonKind::kBool;
    default: return JsonKind::kNull;
  }
}

bool JsonView::is_number() const noexcept {
  const JsonKind is = kind();
  return is == JsonKind::kInt || is == JsonKind::kUint || is == JsonKind::kDouble;
}

std::optional<bool> JsonView::as_bool() const noexcept {
  if (kind() != JsonKind::kBool) return std::nullopt;
  return type_at(as_document(document_), index_) == 't';
}

std::optional<std::int64_t> JsonView::as_int64() const noexcept {
  // The parser calls a number unsigned only where it does not fit a signed one.
  if (kind() != JsonKind::kInt) return std::nullopt;
  return std::bit_cast<std::int64_t>(as_document(document_).tape[index_ + 1]);
}

std::optional<std::uint64_t> JsonView::as_uint64() const noexcept {
  const JsonKind is = kind();
  if (is != JsonKind::kInt && is != JsonKind::kUint) return std::nullopt;
  const std::uint64_t word = as_document(document_).tape[index_ + 1];
  if (is == JsonKind::kInt && std::bit_cast<std::int64_t>(word) < 0) return std::nullopt;
  return word;
}

std::optional<double> JsonView::as_double() const noexcept {
  const JsonKind is = kind();
  if (is != JsonKind::kInt && is != JsonKind::kUint && is != JsonKind::kDouble) {
    return std::nullopt;
  }
  const std::uint64_t word = as_document(document_).tape[index_ + 1];
  if (is == JsonKind::kDouble) return std::bit_cast<double>(word);
  if (is == JsonKind::kUint) return static_cast<double>(word);
  return static_cast<double>(std::bit_cast<std::int64_t>(word));
}

std::optional<std::string_view> JsonView::as_string() const noexcept {
  if (kind() != JsonKind::kString) return std::nullopt;
  return string_at(as_document(document_), index_);
}

std::optional<JsonView> JsonView::find(std::string_view key) const noexcept {
  if (kind() != JsonKind::kObject) return std::nullopt;
  const document& doc = as_document(document_);
  const std::size_t end = end_of(doc, index_);
  for (std::size_t at = index_ + 1; at < end; at = place_after(doc, at + 1)) {
    // Names are distinct in a document that was accepted, so the first is the only one.
    if (string_at(doc, at) != key) continue;
    JsonView found;
    found.document_ = document_;
    found.index_ = at + 1;
    return found;
  }
  return std::nullopt;
}

std::size_t JsonView::size() const noexcept {
  if (!is_array() && !is_object()) return 0;
  const document& doc = as_document(document_);
  const std::uint64_t counted = (doc.tape[index_] >> 32U) & kCountMask;
  if (counted < kCountMask) return static_cast<std::size_t>(counted);
  std::size_t count = 0;
  const std::size_t name = is_object() ? 1 : 0;
  const std::size_t end = end_of(doc, index_);
  for (std::size_t at = index_ + 1; at < end; at = place_after(doc, at + name)) ++count;
  return count;
}

void JsonView::for_each_element(const std::function<bool(JsonView)>& visit) const {
  if (!is_array()) return;
  const document& doc = as_document(document_);
  const std::size_t end = end_of(doc, index_);
  for (std::size_t at = index_ + 1; at < end; at = place_after(doc, at)) {
    JsonView element;
    element.document_ = document_;
    element.index_ = at;
    if (!visit(element)) return;
  }
}

void JsonView::for_each_member(const std::function<bool(std::string_view, JsonView)>& visit) const {
  if (!is_object()) return;
  const document& doc = as_document(document_);
  const std::size_t end = end_of(doc, index_);
  for (std::size_t at = index_ + 1; at < end; at = place_after(doc, at + 1)) {
    JsonView member;
    member.document_ = document_;
    member.index_ = at + 1;
    if (!visit(string_at(doc, at), member)) return;
  }
}

Status JsonView::read_floats(std::vector<float>& into) const {
  into.clear();
  if (!is_array()) {
    return Error{
        .code = ErrorCode::kInvalidArgument,
        .message = "expected an array of numbers, got " + std::string(json_kind_name(kind()))};
  }
  const document& doc = as_document(document_);
  const std::size_t end = end_of(doc, index_);
  // Numbers take two words each, so this is right for any array that will be accepted.
  into.reserve((end - index_) / 2);
  for (std::size_t at = index_ + 1; at < end; at += 2) {
    const std::uint64_t word = doc.tape[at + 1];
    double number = 0;
    switch (type_at(doc, at)) {
      case 'd': number = std::bit_cast<double>(word); break;
      case 'l': number = static_cast<double>(std::bit_cast<std::int64_t>(word)); break;
      case 'u': number = static_cast<double>(word); break;
      default: {
        JsonView element;
        element.document_ = document_;
        element.index_ = at;
        const std::string index = std::to_string(into.size());
        into.clear();
        return Error{.code = ErrorCode::kInvalidArgument,
                     .message = "element " + index + " is no number but " +
                                std::string(json_kind_name(element.kind())),
                     .reason = "not_a_number"};
      }
    }
    const auto narrow = static_cast<float>(number);
    if (!std::isfinite(narrow)) {
      const std::string index = std::to_string(into.size());
      into.clear();
      return Error{.code = ErrorCode::kInvalidArgument,
                   .message = "element " + index + " is not finite as a 32-bit float",
                   .reason = "not_finite"};
    }
    into.push_back(narrow);
  }
  return ok_status();
}

std::string JsonView::to_string() const {
  if (document_ == nullptr) return "null";
  std::string text;
  JsonWriter writer(text);
  write_value(writer, as_document(document_), index_);
  return text;
}

struct JsonDocument::State {
  document parsed;
};

JsonDocument::JsonDocument(std::unique_ptr<State> state) : state_(std::move(state)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  if (text.size() > limits::kJsonBytesMax) {
    return Error{.code = ErrorCode::kResourceExhausted,
                 .message = "JSON text of " + std::to_string(text.size()) +
                            " bytes is larger than the limit of " +
                            std::to_string(limits::kJsonBytesMax),
                 .reason = "json_too_large"};
  }
  auto state = std::make_unique<State>();
  simdjson::error_code error = simdjson::SUCCESS;
  if (text.size() <= kKeptCapacityMax) {
    thread_local simdjson::dom::parser kept;
    error = parse_into(state->parsed, kept, text);
  } else {
    simdjson::dom::parser once;
    error = parse_into(state->parsed, once, text);
  }
  if (error == simdjson::MEMALLOC) {
    return Error{
        .code = ErrorCode::kResourceExhausted,
        .message = "no memory to parse a JSON text of " + std::to_string(text.size()) + " bytes"};
  }
  if (error != simdjson::SUCCESS) {
    // The parser does not say where, so the plain checker looks. Should it find nothing, the
    // parser's word counts.
    if (std::optional<Error> problem = scan_problem(text)) return std::move(*problem);
    return malformed(simdjson::error_message(error));
  }
  if (std::optional<Error> problem = TapeCheck(state->parsed).run()) return std::move(*problem);
  return JsonDocument(std::move(state));
}

JsonView JsonDocument::root() const noexcept {
  JsonView view;
  view.document_ = &state_->parsed;
  view.index_ = kRootPlace;
  return view;
}

}  // namespace quipu
