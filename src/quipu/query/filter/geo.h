// Areas of geo predicates, prepared for many points. Meanings are in include/quipu/filter.h.
//
// Threads: immutable.
#pragma once

#include <limits>
#include <vector>

#include "quipu/filter.h"

namespace quipu::query {

// The mean radius of the GRS 80 ellipsoid, as the Rust library `geo` has it, which Qdrant uses.
inline constexpr double kEarthRadiusM = 6'371'008.8;

// The great-circle distance in metres, by the haversine formula.
[[nodiscard]] double haversine_m(GeoPoint a, GeoPoint b) noexcept;

class BoxArea {
 public:
  explicit BoxArea(const GeoBoundingBox& box) : box_(box) {}
  [[nodiscard]] bool contains(GeoPoint point) const noexcept;

 private:
  GeoBoundingBox box_;
};

class CircleArea {
 public:
  explicit CircleArea(const GeoRadius& circle);
  [[nodiscard]] bool contains(GeoPoint point) const noexcept;

 private:
  GeoRadius circle_;
  double lat_reach_;  // degrees of latitude that the circle surely does not leave
};

class PolygonArea {
 public:
  explicit PolygonArea(const GeoPolygon& polygon);
  // Cost: O(corners of the polygon) inside its bounding box, O(1) outside.
  [[nodiscard]] bool contains(GeoPoint point) const noexcept;

 private:
  using Ring = std::vector<GeoPoint>;
  GeoPolygon polygon_;
  GeoPoint low_;  // corners of the exterior's bounding box
  GeoPoint high_;
};

}  // namespace quipu::query
