#include "quipu/api/calls/payload_change.h"

#include <utility>

namespace quipu::api {

void check_payload_change(const PayloadChange& change, const Path& at, FieldErrors& errors) {
  if (change.replace_payload && !change.set_payload) {
    errors.add(Path(at, "set_payload"), "missing_field", "is what replaces the payload");
  }
  if (!change.set_key.empty() && !change.set_payload) {
    errors.add(Path(at, "set_payload"), "missing_field", "is what set_key takes");
  }
  if (!change.set_key.empty() && change.replace_payload) {
    errors.add(Path(at, "set_key"), "bad_value",
               "and replace_payload cannot both say where set_payload goes");
  }
}

void check_filter_change(const PayloadChange& change, const Path& at, FieldErrors& errors) {
  check_payload_change(change, at, errors);
  if (!change.empty()) return;
  errors.add(at, "missing_field",
             "must change something: set_payload, delete_payload, delete_paths or delete_vectors");
}

PointPatch to_patch(PayloadChange change) {
  return {.set_payload = std::move(change.set_payload).value_or("{}"),
          .delete_payload = std::move(change.delete_payload),
          .replace_payload = change.replace_payload,
          .set_key = std::move(change.set_key),
          .delete_paths = std::move(change.delete_paths),
          .delete_vectors = std::move(change.delete_vectors)};
}

}  // namespace quipu::api
