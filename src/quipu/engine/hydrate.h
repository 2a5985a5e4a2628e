// From ids to the points that callers see, as of a read's moments.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/engine.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/payload_select.h"
#include "quipu/result.h"

namespace quipu::engine {

// What a Select asks for, ready for many points. Borrows state, reading and select.
// Threads: immutable.
class Hydrator {
 public:
  // Errors: kInvalidArgument for a path or a vector that is not there.
  [[nodiscard]] static Result<Hydrator> make(Engine::State& state,
                                             const Engine::State::Reading& reading,
                                             const Select& select);
  // When it is false, a point is no more than its id.
  [[nodiscard]] bool reads_records() const noexcept {
    return select_->payload || select_->text || select_->vectors;
  }
  // Errors: kCorruption, kIo.
  [[nodiscard]] Result<Point> from_record(std::size_t shard_index, const PointId& id,
                                          std::string_view record) const;
  // Empty when it is not there.
  [[nodiscard]] Result<std::optional<Point>> read(const PointId& id) const;
  // Fills points whose ids are set, one look-up of the store for each shard. All of them are there:
  // they come from a view of the same moment.
  Status fill(std::span<Point* const> points) const;

 private:
  Hydrator(Engine::State& state, const Engine::State::Reading& reading, const Select& select,
           PayloadSelection selection, std::uint16_t mask)
      : state_(&state),
        reading_(&reading),
        select_(&select),
        selection_(std::move(selection)),
        vector_mask_(mask) {}
  Status fill_shard(std::size_t shard_index, std::span<Point* const> points) const;
  [[nodiscard]] Result<std::vector<NamedVector>> read_vectors(std::size_t shard_index,
                                                              const PointId& id,
                                                              const VectorIds& ids) const;

  Engine::State* state_;
  const Engine::State::Reading* reading_;
  const Select* select_;
  PayloadSelection selection_;
  std::uint16_t vector_mask_;  // of the vectors that are asked for, by their positions
};

}  // namespace quipu::engine
