#include "quipu/query/filter/geo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <numbers>

#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

GeoPoint random_point(Rng& rng) {
  return {.lon = rng.uniform() * 360 - 180, .lat = rng.uniform() * 180 - 90};
}

TEST(Geo, DistancesBetweenCities) {
  const GeoPoint moscow{.lon = 37.6173, .lat = 55.7558};
  const GeoPoint london{.lon = -0.1278, .lat = 51.5074};
  const GeoPoint berlin{.lon = 13.4050, .lat = 52.5200};
  EXPECT_EQ(haversine_m(moscow, moscow), 0);
  EXPECT_NEAR(haversine_m(moscow, london), 2'500'400, 500);
  EXPECT_NEAR(haversine_m(moscow, berlin), 1'608'900, 500);
  EXPECT_EQ(haversine_m(moscow, berlin), haversine_m(berlin, moscow));
  const double half_way_round = std::numbers::pi * kEarthRadiusM;
  EXPECT_NEAR(haversine_m({.lon = 0, .lat = 90}, {.lon = 0, .lat = -90}), half_way_round, 1e-6);
  EXPECT_NEAR(haversine_m({.lon = -90, .lat = 0}, {.lon = 90, .lat = 0}), half_way_round, 1e-6);
  EXPECT_NEAR(haversine_m({.lon = 179.999, .lat = 0}, {.lon = -179.999, .lat = 0}),
              half_way_round * 0.002 / 180, 1e-3);
}

// The angle between the two directions from the earth's centre, by another formula.
TEST(Geo, DistanceAgreesWithVectors) {
  Rng rng(test_seed());
  for (int round = 0; round < 5'000; ++round) {
    const GeoPoint a = random_point(rng);
    const GeoPoint b = random_point(rng);
    const auto direction = [](GeoPoint p) {
      const double lon = p.lon * std::numbers::pi / 180;
      const double lat = p.lat * std::numbers::pi / 180;
      struct {
        double x, y, z;
      } v{std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
      return v;
    };
    const auto u = direction(a);
    const auto v = direction(b);
    const double cross =
        std::hypot(u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x);
    const double angle = std::atan2(cross, u.x * v.x + u.y * v.y + u.z * v.z);
    EXPECT_NEAR(haversine_m(a, b), kEarthRadiusM * angle, 0.5);
  }
}

TEST(Geo, BoxIsOpenAndMayCrossTheAntimeridian) {
  const BoxArea berlin(
      {.top_left = {.lon = 13.40, .lat = 52.52}, .bottom_right = {.lon = 13.45, .lat = 52.49}});
  EXPECT_TRUE(berlin.contains({.lon = 13.42, .lat = 52.50}));
  EXPECT_FALSE(berlin.contains({.lon = 13.40, .lat = 52.50}));  // on the western edge
  EXPECT_FALSE(berlin.contains({.lon = 13.42, .lat = 52.52}));  // on the northern edge
  EXPECT_FALSE(berlin.contains({.lon = 13.45, .lat = 52.50}));
  EXPECT_FALSE(berlin.contains({.lon = 13.42, .lat = 52.49}));
  EXPECT_FALSE(berlin.contains({.lon = 13.50, .lat = 52.50}));
  EXPECT_FALSE(berlin.contains({.lon = 13.42, .lat = 52.60}));

  const BoxArea fiji(
      {.top_left = {.lon = 170, .lat = -10}, .bottom_right = {.lon = -170, .lat = -25}});
  EXPECT_TRUE(fiji.contains({.lon = 178, .lat = -17}));
  EXPECT_TRUE(fiji.contains({.lon = -179, .lat = -17}));
  EXPECT_TRUE(fiji.contains({.lon = 180, .lat = -17}));
  EXPECT_FALSE(fiji.contains({.lon = 0, .lat = -17}));
  EXPECT_FALSE(fiji.contains({.lon = 170, .lat = -17}));
  EXPECT_FALSE(fiji.contains({.lon = -170, .lat = -17}));

  const BoxArea nothing({.top_left = {.lon = 1, .lat = 1}, .bottom_right = {.lon = 1, .lat = 0}});
  for (const double lon : {0.5, 1.0, 2.0}) {  // without width it does not go around the earth
    EXPECT_FALSE(nothing.contains({.lon = lon, .lat = 0.5}));
  }
  const BoxArea upside_down(
      {.top_left = {.lon = 0, .lat = 0}, .bottom_right = {.lon = 1, .lat = 1}});
  EXPECT_FALSE(upside_down.contains({.lon = 0.5, .lat = 0.5}));
}

TEST(Geo, CircleIsTheFormula) {
  Rng rng(test_seed());
  std::size_t inside = 0;
  for (int round = 0; round < 20'000; ++round) {
    const GeoRadius circle{.center = random_point(rng), .radius_m = std::exp(rng.uniform() * 17)};
    GeoPoint point = random_point(rng);
    if (rng.below(2) == 0) {  // near the centre, so that both answers happen
      const double reach = circle.radius_m / kEarthRadiusM * 180 / std::numbers::pi;
      point.lat = circle.center.lat + (rng.uniform() * 2 - 1) * reach;
      point.lon = circle.center.lon + (rng.uniform() * 2 - 1) * reach;
    }
    const bool expected = haversine_m(circle.center, point) < circle.radius_m;
    EXPECT_EQ(CircleArea(circle).contains(point), expected);
    inside += expected ? 1 : 0;
  }
  EXPECT_GT(inside, 2'000U);
  EXPECT_LT(inside, 18'000U);
  const GeoPoint here{.lon = 1, .lat = 2};
  EXPECT_FALSE(CircleArea({.center = here, .radius_m = 0}).contains(here));
  EXPECT_TRUE(CircleArea({.center = here, .radius_m = 0.001}).contains(here));
  EXPECT_TRUE(CircleArea({.center = here, .radius_m = 2.1e7}).contains({.lon = -179, .lat = -2}));
}

TEST(Geo, PolygonHasHolesAndNoBoundary) {
  const PolygonArea area({.exterior = {{0, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}},
                          .interiors = {{{2, 2}, {4, 2}, {4, 4}, {2, 4}, {2, 2}},
                                        {{6, 6}, {6, 8}, {8, 8}, {8, 6}, {6, 6}}}});
  EXPECT_TRUE(area.contains({1, 1}));
  EXPECT_TRUE(area.contains({5, 5}));
  EXPECT_FALSE(area.contains({3, 3}));
  EXPECT_FALSE(area.contains({7, 7}));
  EXPECT_FALSE(area.contains({2, 3}));  // on the edge of a hole
  EXPECT_FALSE(area.contains({4, 4}));  // at its corner
  EXPECT_FALSE(area.contains({0, 5}));
  EXPECT_FALSE(area.contains({10, 10}));
  EXPECT_FALSE(area.contains({5, 0}));
  EXPECT_FALSE(area.contains({11, 5}));
  EXPECT_FALSE(area.contains({-1, 0}));
  EXPECT_TRUE(area.contains({1, 2}));  // level with corners of a hole
  EXPECT_TRUE(area.contains({9, 4}));
}

TEST(Geo, PolygonMayBeOfAnyShape) {
  // A concave arrow, in both directions around.
  const std::vector<GeoPoint> arrow{{0, 0}, {4, 4}, {8, 0}, {4, 8}, {0, 0}};
  const PolygonArea forward({.exterior = arrow, .interiors = {}});
  const PolygonArea backward({.exterior = {arrow.rbegin(), arrow.rend()}, .interiors = {}});
  for (const PolygonArea& area : {forward, backward}) {
    EXPECT_TRUE(area.contains({4, 6}));
    EXPECT_TRUE(area.contains({2, 3}));
    EXPECT_FALSE(area.contains({4, 2}));
    EXPECT_FALSE(area.contains({4, 4}));
    EXPECT_FALSE(area.contains({1, 0}));
  }
  // A pentagram winds twice around its middle, which is inside all the same.
  std::vector<GeoPoint> star;
  for (int corner = 0; corner <= 5; ++corner) {
    const double angle = 4 * std::numbers::pi / 5 * (corner % 5);
    star.push_back({.lon = 10 * std::sin(angle), .lat = 10 * std::cos(angle)});
  }
  const PolygonArea pentagram({.exterior = star, .interiors = {}});
  EXPECT_TRUE(pentagram.contains({0, 0}));
  EXPECT_TRUE(pentagram.contains({0, 8}));
  EXPECT_FALSE(pentagram.contains({0, -8}));
}

// The angles under which the edges are seen sum to a multiple of a full turn.
TEST(Geo, PolygonAgreesWithAngles) {
  Rng rng(test_seed());
  std::size_t inside = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::vector<GeoPoint> ring;
    const std::size_t corners = 3 + rng.below(6);
    for (std::size_t i = 0; i < corners; ++i) {
      // Some corners and points on a grid, so that levels and corners coincide.
      ring.push_back(
          {.lon = static_cast<double>(rng.below(9)), .lat = static_cast<double>(rng.below(9))});
    }
    ring.push_back(ring.front());
    const GeoPoint point{
        .lon = rng.uniform() * 9,
        .lat = rng.below(2) == 0 ? static_cast<double>(rng.below(9)) : rng.uniform() * 9};
    double turned = 0;
    bool on_edge = false;
    for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
      const double ax = ring[i].lon - point.lon;
      const double ay = ring[i].lat - point.lat;
      const double bx = ring[i + 1].lon - point.lon;
      const double by = ring[i + 1].lat - point.lat;
      const double cross = ax * by - ay * bx;
      on_edge = on_edge || (cross == 0 && ax * bx + ay * by <= 0);
      turned += std::atan2(cross, ax * bx + ay * by);
    }
    const bool expected = !on_edge && std::fabs(turned) > std::numbers::pi;
    EXPECT_EQ(PolygonArea({.exterior = ring, .interiors = {}}).contains(point), expected)
        << point.lon << " " << point.lat;
    inside += expected ? 1 : 0;
  }
  EXPECT_GT(inside, 500U);
}

}  // namespace
}  // namespace quipu::query
