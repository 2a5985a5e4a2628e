// An immutable part of a payload index: rows, and what is found in them.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/index/payload/payload_values.h"
#include "quipu/index/payload/sorted_run.h"
#include "quipu/index/postings/segment.h"

namespace quipu::index {

// The first byte of a key of the dictionary says what its list holds. A row of one plain value,
// which most are, is in no list of facts: those tell how it differs.
enum class PayloadTag : char {
  kCounted = 'c',    // + the count, u32 big-endian: rows of kOddCounts where a value has that count
  kOddCounts = 'd',  // rows whose values' counts are not just 1
  kEmpty = 'e',      // rows whose values are all null or []
  kLong = 'l',       // rows with a string or term that is too long to be held
  kMany = 'm',       // rows with several distinct values that are held; the number is how many
  kNull = 'n',       // rows with a null
  kUnheld = 'u',     // rows with PayloadValues::unheld
  kOthers = 'x',     // rows with an element, not null, of a kind that is not held
  kNothing = 'z',    // rows without a value that is held
  kFlag = 'b',       // + '0' or '1'
  kString = 's',     // + the string
  kTerm = 't',       // + the term
};
[[nodiscard]] std::string tagged(PayloadTag tag, std::string_view rest = {});
[[nodiscard]] std::string count_key(std::uint32_t count);
// A longer string or term is not held.
inline constexpr std::size_t kHeldBytesMax = kPostingKeyBytesMax - 1;

// The UUID that `text` is, spelt as PointId::to_string() does (36 characters, lower case).
[[nodiscard]] std::optional<Uuid> uuid_of(std::string_view text) noexcept;
[[nodiscard]] std::string uuid_text(const Uuid& uuid);

struct PayloadSegment {
  std::shared_ptr<const Segment> postings;
  SortedRun<std::int64_t> integers;
  SortedRun<double> floats;
  SortedRun<Uuid> uuids;
  SortedRun<GeoPoint> points;
  std::shared_ptr<const void> keeps;  // the mapping that the runs lie in

  // All rows, ascending.
  [[nodiscard]] std::span<const std::uint32_t> rows() const noexcept { return postings->rows(); }
  [[nodiscard]] std::uint64_t bytes_used() const noexcept;
};
using PayloadSegments = std::vector<std::shared_ptr<const PayloadSegment>>;

// One segment of the rows of several that `keep` accepts.
[[nodiscard]] std::shared_ptr<const PayloadSegment> merge_payload_segments(
    std::span<const std::shared_ptr<const PayloadSegment>> segments,
    const std::function<bool(std::uint32_t row)>& keep);

// Gathers rows for a segment. Threads: one.
class PayloadSegmentBuilder {
 public:
  explicit PayloadSegmentBuilder(const PayloadOptions& options) : options_(options) {}
  // `text`: for kText, which of the texts the row has; the facts go with the first one's row.
  void add(std::uint32_t row, const PayloadValues& values, std::size_t text);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  // What was added since the last call.
  [[nodiscard]] std::shared_ptr<const PayloadSegment> take();

 private:
  struct Pending {
    std::uint32_t row = 0;
    std::uint32_t number = 1;
    std::size_t positions = 0;  // where they begin in positions_
  };
  void post(std::string key, const Pending& pending);
  void add_facts(std::uint32_t row, const PayloadValues& values, std::uint32_t held);
  // These return how many distinct values they took.
  std::uint32_t add_strings(std::uint32_t row, const std::vector<std::string_view>& strings);
  std::uint32_t add_values(std::uint32_t row, const PayloadValues& values);
  void add_terms(std::uint32_t row, const std::vector<PayloadTerm>& terms);
  [[nodiscard]] std::shared_ptr<const Segment> take_postings();

  const PayloadOptions options_;
  std::map<std::string, std::vector<Pending>, std::less<>> postings_;
  std::vector<std::uint32_t> positions_;
  std::vector<std::uint32_t> rows_;
  std::vector<RunEntry<std::int64_t>> integers_;
  std::vector<RunEntry<double>> floats_;
  std::vector<RunEntry<Uuid>> uuids_;
  std::vector<RunEntry<GeoPoint>> points_;
};

}  // namespace quipu::index
