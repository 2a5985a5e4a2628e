#include "quipu/text/analysis/dictionary_breaker.h"

#include <unicode/ubrk.h>
#include <unicode/utypes.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quipu/assert.h"
#include "quipu/text/analysis/lossy_utf8.h"

namespace quipu::text::analysis {
namespace {

// Characters looked at together, and how many of their last are looked at again in the next window:
// a boundary near the end of a window may be another one when more of the text is seen.
constexpr std::size_t kWindowChars = 2048;
constexpr std::size_t kOverlapChars = 64;

struct Closer {
  void operator()(UBreakIterator* iterator) const noexcept { ubrk_close(iterator); }
};

struct Scratch {
  std::unique_ptr<UBreakIterator, Closer> iterator;
  UErrorCode status = U_ZERO_ERROR;
  std::vector<UChar> units;            // the window as UTF-16
  std::vector<std::uint32_t> offsets;  // for each unit, and for the end, the bytes before it

  Scratch() {
    // The root locale: which dictionary applies depends on the script alone.
    iterator.reset(ubrk_open(UBRK_WORD, "", nullptr, 0, &status));
    units.reserve(2 * kWindowChars);
    offsets.reserve(2 * kWindowChars + 1);
  }
};

Scratch& scratch_of_this_thread() {
  thread_local Scratch scratch;
  return scratch;
}

// Fills the window from `from`; returns the bytes before its overlap begins (the window's end when
// it is the last).
std::size_t fill(std::string_view run, std::size_t from, Scratch& scratch) {
  scratch.units.clear();
  scratch.offsets.clear();
  const char* const end = run.data() + run.size();
  const char* p = run.data() + from;
  std::size_t overlap = 0;
  for (std::size_t count = 0; p < end && count < kWindowChars; ++count) {
    const auto offset = static_cast<std::uint32_t>(static_cast<std::size_t>(p - run.data()) - from);
    if (count == kWindowChars - kOverlapChars) overlap = offset;
    const DecodedChar c = decode_lossy(p, end);
    p += c.size;
    scratch.offsets.push_back(offset);
    if (c.value < 0x10000) {
      scratch.units.push_back(static_cast<UChar>(c.value));
    } else {
      scratch.units.push_back(static_cast<UChar>(0xD7C0 + (c.value >> 10)));
      scratch.units.push_back(static_cast<UChar>(0xDC00 + (c.value & 0x3FF)));
      scratch.offsets.push_back(offset);
    }
  }
  const auto window_end = static_cast<std::size_t>(p - run.data()) - from;
  scratch.offsets.push_back(static_cast<std::uint32_t>(window_end));
  return p == end ? window_end : overlap;
}

}  // namespace

Status check_dictionaries() {
  const Scratch& scratch = scratch_of_this_thread();
  if (U_SUCCESS(scratch.status)) return ok_status();
  return Error{ErrorCode::kUnavailable,
               std::string("the tokenizer \"multilingual\" needs ICU's word dictionaries, which it "
                           "cannot open: ") +
                   u_errorName(scratch.status),
               "dictionaries_missing"};
}

void for_each_dictionary_word(std::string_view run,
                              const std::function<bool(std::size_t end)>& visit) {
  Scratch& scratch = scratch_of_this_thread();
  for (std::size_t from = 0; from < run.size();) {
    const std::size_t settled = fill(run, from, scratch);
    // check_dictionaries() has passed on some thread, so only memory can be missing here.
    QUIPU_ASSERT(U_SUCCESS(scratch.status));
    UErrorCode status = U_ZERO_ERROR;
    ubrk_setText(scratch.iterator.get(), scratch.units.data(),
                 static_cast<std::int32_t>(scratch.units.size()), &status);
    QUIPU_ASSERT(U_SUCCESS(status));
    std::size_t done = 0;
    for (std::int32_t at = ubrk_next(scratch.iterator.get()); at != UBRK_DONE;
         at = ubrk_next(scratch.iterator.get())) {
      const std::size_t end = scratch.offsets[static_cast<std::size_t>(at)];
      // The first is taken wherever it is: a word may be longer than a window.
      if (end > settled && done > 0) break;
      done = end;
      if (!visit(from + end)) return;
    }
    from += done;
  }
}

}  // namespace quipu::text::analysis
