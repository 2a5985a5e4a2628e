// The members of Qdrant's option objects that are only stored and read back here.
#pragma once

#include <array>

#include "quipu/api/qdrant/options.h"

namespace quipu::api::qdrant {

inline constexpr std::array kHnswOptions = {
    Option{"m", OptionKind::kCount},
    Option{"ef_construct", OptionKind::kCount},
    Option{"full_scan_threshold", OptionKind::kCount},
    Option{"max_indexing_threads", OptionKind::kCount},
    Option{"on_disk", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
    Option{"payload_m", OptionKind::kCount},
    Option{"inline_storage", OptionKind::kFlag},
};
inline constexpr std::array kOptimizerOptions = {
    Option{"deleted_threshold", OptionKind::kNumber},
    Option{"vacuum_min_vector_number", OptionKind::kCount},
    Option{"default_segment_number", OptionKind::kCount},
    Option{"max_segment_size", OptionKind::kCount},
    Option{"memmap_threshold", OptionKind::kCount},
    Option{"indexing_threshold", OptionKind::kCount},
    Option{"flush_interval_sec", OptionKind::kCount},
    Option{"max_optimization_threads", OptionKind::kAny},  // a count, or "auto"
    Option{"prevent_unoptimized", OptionKind::kFlag},
};
inline constexpr std::array kWalOptions = {
    Option{"wal_capacity_mb", OptionKind::kCount},
    Option{"wal_segments_ahead", OptionKind::kCount},
    Option{"wal_retain_closed", OptionKind::kCount},
};
inline constexpr std::array kParamsOptions = {
    Option{"replication_factor", OptionKind::kCount},
    Option{"write_consistency_factor", OptionKind::kCount},
    Option{"read_fan_out_factor", OptionKind::kCount},
    Option{"read_fan_out_delay_ms", OptionKind::kCount},
    Option{"on_disk_payload", OptionKind::kFlag},
    Option{"payload", OptionKind::kAny},
    Option{"id_tracker", OptionKind::kAny},
};
inline constexpr std::array kMemoryOptions = {Option{"memory", OptionKind::kMemory}};
inline constexpr std::array kSparseIndexOptions = {
    Option{"full_scan_threshold", OptionKind::kCount},
    Option{"on_disk", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
    Option{"datatype", OptionKind::kDatatype},
};
// Of one vector, besides what the engine has.
inline constexpr std::array kVectorExtras = {
    Option{"hnsw_config", OptionKind::kAny},   Option{"quantization_config", OptionKind::kAny},
    Option{"on_disk", OptionKind::kFlag},      Option{"memory", OptionKind::kMemory},
    Option{"datatype", OptionKind::kDatatype},
};
inline constexpr std::array kVectorOptions = {
    Option{"size", OptionKind::kCount},
    Option{"distance", OptionKind::kText},
    Option{"multivector_config", OptionKind::kAny},
    Option{"hnsw_config", OptionKind::kAny},
    Option{"quantization_config", OptionKind::kAny},
    Option{"on_disk", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
    Option{"datatype", OptionKind::kDatatype},
};
inline constexpr std::array kVectorChanges = {
    Option{"hnsw_config", OptionKind::kAny},
    Option{"quantization_config", OptionKind::kAny},
    Option{"on_disk", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
};
inline constexpr std::array kSparseVectorOptions = {
    Option{"index", OptionKind::kAny},
    Option{"modifier", OptionKind::kText},
};
// Of a vector that is added later: what cannot be changed afterwards.
inline constexpr std::array kNewDenseOptions = {
    Option{"size", OptionKind::kCount},
    Option{"distance", OptionKind::kText},
    Option{"multivector_config", OptionKind::kAny},
    Option{"datatype", OptionKind::kDatatype},
};
inline constexpr std::array kNewSparseOptions = {
    Option{"modifier", OptionKind::kText},
    Option{"datatype", OptionKind::kDatatype},
};
inline constexpr std::array kScalarOptions = {
    Option{"type", OptionKind::kText},
    Option{"quantile", OptionKind::kNumber},
    Option{"always_ram", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
};
inline constexpr std::array kProductOptions = {
    Option{"compression", OptionKind::kText},
    Option{"always_ram", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
};
inline constexpr std::array kBinaryOptions = {
    Option{"always_ram", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
    Option{"encoding", OptionKind::kText},
    Option{"query_encoding", OptionKind::kText},
};
inline constexpr std::array kTurboOptions = {
    Option{"always_ram", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory},
    Option{"bits", OptionKind::kText},
};
// Of payload indexes; which kind has which.
inline constexpr std::array kIndexOptions = {
    Option{"type", OptionKind::kText},     Option{"on_disk", OptionKind::kFlag},
    Option{"memory", OptionKind::kMemory}, Option{"enable_hnsw", OptionKind::kFlag},
    Option{"nested", OptionKind::kText},
};
inline constexpr std::array kKeywordIndexOptions = {
    Option{"is_tenant", OptionKind::kFlag},
    Option{"prefix", OptionKind::kFlag},
};
inline constexpr std::array kIntegerIndexOptions = {
    Option{"lookup", OptionKind::kFlag},
    Option{"range", OptionKind::kFlag},
    Option{"is_principal", OptionKind::kFlag},
};
inline constexpr std::array kPrincipalIndexOptions = {Option{"is_principal", OptionKind::kFlag}};
inline constexpr std::array kUuidIndexOptions = {Option{"is_tenant", OptionKind::kFlag}};
inline constexpr std::array kTextIndexOptions = {
    Option{"tokenizer", OptionKind::kText},      Option{"min_token_len", OptionKind::kCount},
    Option{"max_token_len", OptionKind::kCount}, Option{"lowercase", OptionKind::kFlag},
    Option{"ascii_folding", OptionKind::kFlag},  Option{"phrase_matching", OptionKind::kFlag},
    Option{"stopwords", OptionKind::kAny},       Option{"stemmer", OptionKind::kAny},
    Option{"scoring", OptionKind::kAny},
};

}  // namespace quipu::api::qdrant
