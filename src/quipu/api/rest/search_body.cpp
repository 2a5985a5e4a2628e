#include "quipu/api/rest/search_body.h"

namespace quipu::api::rest {

SchemaPtr<HybridInput> hybrid_schema() {
  return Object<HybridInput>(
             "Hybrid",
             "The text is searched by meaning (the vector) and by words (BM25), and "
             "the two rankings are fused into one.")
      .optional("fusion", &HybridInput::fusion,
                names<FusionKind>({{"rrf", FusionKind::kRrf},
                                   {"dbsf", FusionKind::kDbsf},
                                   {"weighted", FusionKind::kWeighted}}),
                "By places (rrf, unless given), by scores and their deviation, or by scores scaled "
                "to 0..1.")
      .optional("k", &HybridInput::k, number(1, kFusionNumberMax),
                "rrf: a point at place r, from 0, gets 1 / (k + r); 60 unless given.")
      .optional("weights", &HybridInput::weights, array(number(0, kFusionNumberMax), 2, 2),
                "Of the vector and of the words; 1 and 1 unless given.")
      .optional("prefetch", &HybridInput::prefetch, integer<std::size_t>(1, limits::kSearchHitsMax),
                "How many points each of the two finds, k + offset at least; 100 unless given.")
      .optional("words", &HybridInput::words, text(1, 64),
                "The name of the words; the collection's only ones unless given.")
      .done();
}

}  // namespace quipu::api::rest
