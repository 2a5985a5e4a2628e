// Goal: the rectangles that an index looks through for an area hold all of it that is on the map.
// Method: random areas, many near poles, dates' line and each other; random places, many near
// edges.
#include "quipu/query/plan/index_query.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "quipu/base/epoch.h"
#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

bool held(const index::GeoRegion& region, GeoPoint point) {
  const auto bounds = region.bounds();
  return std::any_of(bounds.begin(), bounds.end(), [point](const index::GeoRect& rect) {
    return point.lon >= rect.west && point.lon <= rect.east && point.lat >= rect.south &&
           point.lat <= rect.north;
  });
}

class IndexQueryTest : public ::testing::Test {
 protected:
  std::unique_ptr<index::PayloadIndex> made(index::PayloadKind kind) {
    auto index = index::PayloadIndex::create({.kind = kind}, epochs_);
    EXPECT_EQ(why_not(index), "");
    return std::move(index).value();
  }
  EpochDomain epochs_;
};

TEST_F(IndexQueryTest, BoundsHoldTheArea) {
  Rng rng(test_seed());
  const auto index = made(index::PayloadKind::kGeo);
  const IndexedField field = {index.get(), nullptr, nullptr};
  const auto place = [&rng] {
    GeoPoint point = {.lon = rng.uniform() * 360 - 180, .lat = rng.uniform() * 180 - 90};
    if (rng.below(4) == 0) point.lon = std::copysign(180 - rng.uniform() * 0.01, point.lon);
    if (rng.below(4) == 0) point.lat = std::copysign(90 - rng.uniform() * 0.01, point.lat);
    return point;
  };
  std::size_t inside = 0;
  for (int round = 0; round < 3000; ++round) {
    FieldPredicate predicate;
    GeoPoint center = place();
    double reach = 1;  // of places that are drawn near
    if (rng.below(2) == 0) {
      const double radius_m = std::exp(rng.uniform() * std::log(2.2e7));
      predicate = GeoRadius{.center = center, .radius_m = radius_m};
      reach = radius_m / 111'000 * 1.2;
    } else if (rng.below(2) == 0) {
      predicate = GeoBoundingBox{.top_left = center, .bottom_right = place()};
    } else {
      GeoPolygon polygon{.exterior = {center, place(), place(), place()}, .interiors = {}};
      polygon.exterior.push_back(center);
      predicate = polygon;
    }
    const auto query = index_query(predicate, field);
    ASSERT_TRUE(query.has_value());
    for (int i = 0; i < 60; ++i) {
      GeoPoint point = place();
      if (rng.below(2) == 0) {
        point = {.lon = std::remainder(center.lon + (2 * rng.uniform() - 1) * reach * 4, 360),
                 .lat = std::clamp(center.lat + (2 * rng.uniform() - 1) * reach, -90.0, 90.0)};
      }
      if (!query->region->contains(point)) continue;
      ++inside;
      ASSERT_TRUE(held(*query->region, point))
          << predicate.index() << " at " << center.lon << " " << center.lat << ": " << point.lon
          << " " << point.lat;
    }
  }
  EXPECT_GT(inside, 10'000U);
}

TEST_F(IndexQueryTest, SmallCirclesLookAtLittle) {
  const auto index = made(index::PayloadKind::kGeo);
  const auto query = index_query(GeoRadius{.center = {.lon = 13.4, .lat = 52.5}, .radius_m = 1000},
                                 {index.get(), {}, {}});
  ASSERT_TRUE(query.has_value());
  ASSERT_EQ(query->region->bounds().size(), 1U);
  const index::GeoRect rect = query->region->bounds().front();
  EXPECT_LT(rect.east - rect.west, 0.031);
  EXPECT_LT(rect.north - rect.south, 0.019);
}

// Each kind answers its own predicates, and what is about the field as a whole.
TEST_F(IndexQueryTest, KindsAnswerTheirPredicates) {
  using index::PayloadKind;
  const std::vector<std::pair<FieldPredicate, std::vector<PayloadKind>>> cases = {
      {MatchValue{std::string("a")}, {PayloadKind::kKeyword, PayloadKind::kUuid}},
      {MatchValue{std::int64_t{1}}, {PayloadKind::kInteger, PayloadKind::kFloat}},
      {MatchValue{true}, {PayloadKind::kBool}},
      {MatchExcept{std::vector<std::int64_t>{1}}, {PayloadKind::kInteger, PayloadKind::kFloat}},
      {MatchPrefix{"a"}, {PayloadKind::kKeyword}},
      {MatchSubstring{"a"}, {PayloadKind::kKeyword}},
      {NumberRange{}, {PayloadKind::kInteger, PayloadKind::kFloat}},
      {DatetimeRange{.lt = "2024-01-01"}, {PayloadKind::kDatetime}},
      {GeoRadius{}, {PayloadKind::kGeo}},
  };
  for (int kind = 0; kind <= static_cast<int>(PayloadKind::kText); ++kind) {
    const auto index = made(static_cast<PayloadKind>(kind));
    const IndexedField field = {index.get(), nullptr, nullptr};
    for (const auto& [predicate, kinds] : cases) {
      const bool expected =
          std::count(kinds.begin(), kinds.end(), static_cast<PayloadKind>(kind)) > 0;
      EXPECT_EQ(index_query(predicate, field).has_value(), expected)
          << kind << " " << predicate.index();
    }
    EXPECT_TRUE(index_query(MatchAny{}, field).has_value());
    EXPECT_TRUE(index_query(MatchExcept{}, field).has_value());
    EXPECT_TRUE(index_query(ValuesCount{}, field).has_value());
    EXPECT_TRUE(index_query(IsEmpty{}, field).has_value());
    EXPECT_TRUE(index_query(IsNull{}, field).has_value());
    // Without its analyzer not even a text index does.
    EXPECT_FALSE(index_query(MatchText{TextMatchMode::kAll, "a"}, field).has_value());
  }
}

}  // namespace
}  // namespace quipu::query
