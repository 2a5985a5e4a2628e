#include "quipu/query/plan/field_values.h"

#include <algorithm>
#include <optional>

#include "quipu/assert.h"
#include "quipu/base/datetime.h"
#include "quipu/query/filter/predicates.h"

namespace quipu::query {
namespace {

using index::PayloadKind;

class LimitedTerms final : public text::TermSink {
 public:
  explicit LimitedTerms(text::TermList& into) : into_(into) {}
  bool add(const text::Term& term) override {
    cut_ = into_.size() == FieldReader::kTermsPerStringMax;
    if (cut_) return false;
    return into_.add(term);
  }
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  text::TermList& into_;
  bool cut_ = false;
};

}  // namespace

const index::PayloadValues* FieldReader::read(JsonView payload) {
  values_ = {};
  text_count_ = 0;
  path_.visit(payload, [this](JsonView value) {
    take(value);
    return true;
  });
  if (values_.counts.empty()) return nullptr;
  finish_terms();
  return &values_;
}

void FieldReader::take(JsonView value) {
  values_.counts.push_back(
      static_cast<std::uint32_t>(std::min<std::uint64_t>(count_of(value), UINT32_MAX)));
  values_.any_null = values_.any_null || is_null_value(value);
  if (!value.is_array()) {
    take_element(value);
    return;
  }
  value.for_each_element([this](JsonView element) {
    take_element(element);
    return true;
  });
}

void FieldReader::take_element(JsonView element) {
  if (element.is_null()) return;
  if (const std::optional<std::string_view> text = element.as_string(); text.has_value()) {
    take_string(*text);
  } else if (element.is_number()) {
    take_number(element);
  } else if (const std::optional<bool> flag = element.as_bool();
             flag.has_value() && kind_ == PayloadKind::kBool) {
    (*flag ? values_.any_true : values_.any_false) = true;
  } else if (const std::optional<GeoPoint> place =
                 kind_ == PayloadKind::kGeo ? geo_point_of(element) : std::nullopt;
             place.has_value()) {
    values_.points.push_back(*place);
  } else {
    values_.others = true;
  }
}

void FieldReader::take_number(JsonView number) {
  if (kind_ != PayloadKind::kInteger && kind_ != PayloadKind::kFloat) {
    values_.others = true;
  } else if (const std::optional<std::int64_t> integer = number.as_int64(); integer.has_value()) {
    values_.integers.push_back(*integer);
  } else {
    values_.floats.push_back(number.as_double().value_or(0));
  }
}

void FieldReader::take_string(std::string_view text) {
  switch (kind_) {
    case PayloadKind::kKeyword:
    case PayloadKind::kUuid: values_.strings.push_back(text); return;
    case PayloadKind::kDatetime:
      if (const auto time_us = try_parse_datetime(text); time_us.has_value()) {
        values_.integers.push_back(*time_us);
        return;
      }
      break;
    case PayloadKind::kText: {
      QUIPU_ASSERT(analyzer_ != nullptr);
      if (text_count_ == terms_.size()) terms_.emplace_back();
      text::TermList& list = terms_[text_count_++];
      list.clear();
      LimitedTerms sink(list);
      analyzer_->analyze(text, sink);
      values_.unheld = values_.unheld || sink.cut();
      return;
    }
    default: break;
  }
  values_.others = true;
}

void FieldReader::finish_terms() {
  values_.texts.resize(text_count_);
  for (std::size_t i = 0; i < text_count_; ++i) {
    for (std::size_t at = 0; at < terms_[i].size(); ++at) {
      const text::Term term = terms_[i][at];
      values_.texts[i].push_back({term.text, term.position});
    }
  }
}

}  // namespace quipu::query
