#include "quipu/query/plan/index_query.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/datetime.h"
#include "quipu/query/filter/geo.h"
#include "quipu/query/plan/analyzed_text.h"

namespace quipu::query {
namespace {

using index::GeoRect;

// From `west` to `east`, eastwards; both may be up to one turn off the map.
std::vector<GeoRect> strip(double west, double east, double south, double north) {
  south = std::max(south, -90.0);
  north = std::min(north, 90.0);
  if (south > north) return {};
  if (east - west >= 360) return {{.west = -180, .east = 180, .south = south, .north = north}};
  if (west < -180) {
    return {{.west = west + 360, .east = 180, .south = south, .north = north},
            {.west = -180, .east = east, .south = south, .north = north}};
  }
  if (east > 180) {
    return {{.west = west, .east = 180, .south = south, .north = north},
            {.west = -180, .east = east - 360, .south = south, .north = north}};
  }
  return {{.west = west, .east = east, .south = south, .north = north}};
}

std::vector<GeoRect> bounds_of(const GeoBoundingBox& box) {
  const double west = box.top_left.lon;
  const double east = box.bottom_right.lon;
  return strip(west, west > east ? east + 360 : east, box.bottom_right.lat, box.top_left.lat);
}

std::vector<GeoRect> bounds_of(const GeoRadius& circle) {
  // A thousandth more than exact, so that no rounding leaves a point out that the formula takes.
  constexpr double kMore = 1.001;
  constexpr double kDegrees = 180.0 / std::numbers::pi;
  const double reach = circle.radius_m / kEarthRadiusM * kDegrees * kMore + 1e-9;
  const double south = circle.center.lat - reach;
  const double north = circle.center.lat + reach;
  if (south <= -90 || north >= 90) return strip(-180, 180, south, north);  // around a pole
  // Where the meridians touch the circle (Todhunter: Spherical Trigonometry, chapter 5).
  const double sine = std::sin(reach / kDegrees) / std::cos(circle.center.lat / kDegrees);
  const double beside = std::asin(std::min(1.0, sine)) * kDegrees * kMore + 1e-9;
  return strip(circle.center.lon - beside, circle.center.lon + beside, south, north);
}

std::vector<GeoRect> bounds_of(const GeoPolygon& polygon) {
  GeoRect rect = {.west = 180, .east = -180, .south = 90, .north = -90};
  for (const GeoPoint corner : polygon.exterior) {
    rect = {.west = std::min(rect.west, corner.lon),
            .east = std::max(rect.east, corner.lon),
            .south = std::min(rect.south, corner.lat),
            .north = std::max(rect.north, corner.lat)};
  }
  return {rect};
}

template <typename Area>
class Region final : public index::GeoRegion {
 public:
  template <typename Shape>
  explicit Region(const Shape& shape) : area_(shape), bounds_(bounds_of(shape)) {}
  [[nodiscard]] bool contains(GeoPoint point) const noexcept override {
    return area_.contains(point);
  }
  [[nodiscard]] std::span<const GeoRect> bounds() const noexcept override { return bounds_; }

 private:
  const Area area_;
  const std::vector<GeoRect> bounds_;
};

template <typename Area, typename Shape>
IndexQuery region_query(const Shape& shape) {
  auto region = std::make_unique<const Region<Area>>(shape);
  index::RegionQuery query{region.get()};
  return {query, std::move(region)};
}

struct Translate {
  const IndexedField& field;

  std::optional<IndexQuery> operator()(const MatchValue& match) const {
    if (const auto* const text = std::get_if<std::string>(&match.value)) {
      return plain(index::StringsQuery{.values = {*text}, .except = false});
    }
    if (const auto* const integer = std::get_if<std::int64_t>(&match.value)) {
      return plain(index::IntegersQuery{.values = {*integer}, .except = false});
    }
    return plain(index::BoolQuery{std::get<bool>(match.value)});
  }
  std::optional<IndexQuery> operator()(const MatchAny& match) const {
    return list(match.values, /*except=*/false);
  }
  std::optional<IndexQuery> operator()(const MatchExcept& match) const {
    return list(match.values, /*except=*/true);
  }
  std::optional<IndexQuery> operator()(const MatchText& match) const {
    if (field.analyzer == nullptr) return std::nullopt;
    auto terms = query_terms(*field.analyzer, match.mode, match.query);
    // Too many words: the filter's own matcher has refused it already, if it is this analyzer's.
    if (!terms.ok()) return std::nullopt;
    index::WordsQuery query = {.mode = match.mode, .terms = {}};
    for (QueryTerm& term : std::move(terms).value()) {
      query.terms.emplace_back(std::move(term.term), term.position);
    }
    return plain(std::move(query));
  }
  std::optional<IndexQuery> operator()(const MatchPrefix& match) const {
    return plain(index::StringsThatQuery{.prefix = match.prefix, .check = nullptr});
  }
  std::optional<IndexQuery> operator()(const MatchSubstring& match) const {
    return plain(index::StringsThatQuery{
        .prefix = "", .check = [substring = match.substring](std::string_view text) {
          return text.find(substring) != std::string_view::npos;
        }});
  }
  std::optional<IndexQuery> operator()(const NumberRange& range) const { return plain(range); }
  std::optional<IndexQuery> operator()(const DatetimeRange& range) const {
    // No datetime that can be read is near the ends of what 64 bits hold.
    index::TimeQuery query;
    const auto time_us = [](const std::string& bound) {
      const std::optional<std::int64_t> read = try_parse_datetime(bound);
      QUIPU_ASSERT(read.has_value());
      return *read;
    };
    if (range.gt) query.from_us = std::max(query.from_us, time_us(*range.gt) + 1);
    if (range.gte) query.from_us = std::max(query.from_us, time_us(*range.gte));
    if (range.lt) query.to_us = std::min(query.to_us, time_us(*range.lt) - 1);
    if (range.lte) query.to_us = std::min(query.to_us, time_us(*range.lte));
    return plain(query);
  }
  std::optional<IndexQuery> operator()(const GeoBoundingBox& box) const {
    return region_query<BoxArea>(box);
  }
  std::optional<IndexQuery> operator()(const GeoRadius& circle) const {
    return region_query<CircleArea>(circle);
  }
  std::optional<IndexQuery> operator()(const GeoPolygon& polygon) const {
    return region_query<PolygonArea>(polygon);
  }
  std::optional<IndexQuery> operator()(const ValuesCount& bounds) const { return plain(bounds); }
  std::optional<IndexQuery> operator()(const IsEmpty& is) const { return plain(is); }
  std::optional<IndexQuery> operator()(const IsNull& is) const { return plain(is); }

 private:
  template <typename Query>
  static IndexQuery plain(Query query) {
    return {std::move(query), nullptr};
  }
  static IndexQuery list(const MatchList& values, bool except) {
    const bool empty = std::visit([](const auto& list) { return list.empty(); }, values);
    if (empty && except) return plain(index::AnyElementQuery{});
    if (empty) return plain(index::NothingQuery{});
    if (const auto* const strings = std::get_if<std::vector<std::string>>(&values)) {
      return plain(index::StringsQuery{.values = *strings, .except = except});
    }
    return plain(index::IntegersQuery{.values = std::get<std::vector<std::int64_t>>(values),
                                      .except = except});
  }
};

}  // namespace

std::optional<IndexQuery> index_query(const FieldPredicate& predicate, const IndexedField& field) {
  if (!field.index->answers(predicate)) return std::nullopt;
  std::optional<IndexQuery> query = std::visit(Translate{field}, predicate);
  QUIPU_ASSERT(!query.has_value() || field.index->answers(query->query));
  return query;
}

}  // namespace quipu::query
