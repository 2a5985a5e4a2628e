#include "quipu/query/filter/geo.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace quipu::query {
namespace {

constexpr double radians(double degrees) { return degrees * (std::numbers::pi / 180.0); }
constexpr double degrees(double radians) { return radians * (180.0 / std::numbers::pi); }

double square(double x) { return x * x; }

enum class RingSide : std::uint8_t { kInside, kOutside, kBoundary };

// Where `point` is seen from the edge: positive on its left, negative on its right, 0 on its line.
double side_of(GeoPoint from, GeoPoint to, GeoPoint point) {
  return (to.lon - from.lon) * (point.lat - from.lat) -
         (to.lat - from.lat) * (point.lon - from.lon);
}

bool between(double value, double a, double b) {
  return std::min(a, b) <= value && value <= std::max(a, b);
}

// Counts how often the ring winds around the point, by the edges that cross the ray from the point
// towards east: +1 for each that goes up, -1 for each that goes down.
RingSide place_in_ring(const std::vector<GeoPoint>& ring, GeoPoint point) {
  int winding = 0;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    const GeoPoint from = ring[i];
    const GeoPoint to = ring[i + 1];
    if (!between(point.lat, from.lat, to.lat)) continue;
    const double side = side_of(from, to, point);
    if (side == 0 && between(point.lon, from.lon, to.lon)) return RingSide::kBoundary;
    // An edge has its lower end but not its upper one, so that a corner is counted once.
    if (from.lat <= point.lat && point.lat < to.lat && side > 0) ++winding;
    if (to.lat <= point.lat && point.lat < from.lat && side < 0) --winding;
  }
  return winding == 0 ? RingSide::kOutside : RingSide::kInside;
}

}  // namespace

double haversine_m(GeoPoint a, GeoPoint b) noexcept {
  const double lat_a = radians(a.lat);
  const double lat_b = radians(b.lat);
  const double h = square(std::sin(radians(b.lat - a.lat) / 2)) +
                   std::cos(lat_a) * std::cos(lat_b) * square(std::sin(radians(b.lon - a.lon) / 2));
  // Rounding may bring antipodes a little above 1.
  return 2 * kEarthRadiusM * std::asin(std::sqrt(std::min(1.0, h)));
}

bool BoxArea::contains(GeoPoint point) const noexcept {
  const double west = box_.top_left.lon;
  const double east = box_.bottom_right.lon;
  const bool lon_in =
      west > east ? point.lon > west || point.lon < east : point.lon > west && point.lon < east;
  return lon_in && point.lat > box_.bottom_right.lat && point.lat < box_.top_left.lat;
}

CircleArea::CircleArea(const GeoRadius& circle)
    // A thousandth more than exact, so that the cheap check never refuses what the formula accepts.
    : circle_(circle), lat_reach_(degrees(circle.radius_m / kEarthRadiusM) * 1.001) {}

bool CircleArea::contains(GeoPoint point) const noexcept {
  // A payload may hold latitudes beyond the poles; the formula says where those are.
  const bool on_earth = std::fabs(point.lat) <= 90;
  if (on_earth && std::fabs(point.lat - circle_.center.lat) > lat_reach_) return false;
  return haversine_m(circle_.center, point) < circle_.radius_m;
}

PolygonArea::PolygonArea(const GeoPolygon& polygon) : polygon_(polygon) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  const auto close = [](Ring& ring) {  // rings may end a rounding error from where they began
    if (!ring.empty()) ring.back() = ring.front();
  };
  close(polygon_.exterior);
  std::for_each(polygon_.interiors.begin(), polygon_.interiors.end(), close);
  low_ = {.lon = kFar, .lat = kFar};
  high_ = {.lon = -kFar, .lat = -kFar};
  for (const GeoPoint corner : polygon_.exterior) {
    low_ = {.lon = std::min(low_.lon, corner.lon), .lat = std::min(low_.lat, corner.lat)};
    high_ = {.lon = std::max(high_.lon, corner.lon), .lat = std::max(high_.lat, corner.lat)};
  }
}

bool PolygonArea::contains(GeoPoint point) const noexcept {
  if (!between(point.lon, low_.lon, high_.lon) || !between(point.lat, low_.lat, high_.lat)) {
    return false;
  }
  if (place_in_ring(polygon_.exterior, point) != RingSide::kInside) return false;
  return std::all_of(polygon_.interiors.begin(), polygon_.interiors.end(), [&](const Ring& ring) {
    return place_in_ring(ring, point) == RingSide::kOutside;
  });
}

}  // namespace quipu::query
