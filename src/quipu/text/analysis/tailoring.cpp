#include "quipu/text/analysis/tailoring.h"

#include <algorithm>

namespace quipu::text::analysis {
namespace {

constexpr std::string_view kFrench[] = {"c", "d",  "j",     "l",      "m",      "n",     "s",
                                        "t", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu"};
constexpr std::string_view kItalian[] = {"c",    "d",    "l",     "m",    "s",    "t",
                                         "v",    "un",   "all",   "dall", "dell", "nell",
                                         "sull", "coll", "quell", "quest"};
constexpr std::string_view kCatalan[] = {"d", "l", "m", "n", "s", "t"};

}  // namespace

Tailoring tailoring_of(std::string_view language) noexcept {
  if (language == "turkish") return {.turkic = true, .endings_after_apostrophe = true};
  if (language == "romanian") return {.romanian = true};
  if (language == "french") return {.elisions = kFrench};
  if (language == "italian") return {.elisions = kItalian};
  if (language == "catalan") return {.elisions = kCatalan};
  return {};
}

std::string_view cut_at_apostrophe(std::string_view term, const Tailoring& tailoring) noexcept {
  const std::size_t apostrophe = term.find('\'');
  if (apostrophe == term.npos) return term;
  const std::string_view before = term.substr(0, apostrophe);
  if (tailoring.endings_after_apostrophe) return before.empty() ? term : before;
  const std::string_view after = term.substr(apostrophe + 1);
  const std::span<const std::string_view> elided = tailoring.elisions;
  if (after.empty() || std::find(elided.begin(), elided.end(), before) == elided.end()) return term;
  return after;
}

}  // namespace quipu::text::analysis
