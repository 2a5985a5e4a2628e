#include "quipu/text/analysis/stemmer.h"

#include <libstemmer.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>

#include "quipu/assert.h"
#include "quipu/base/hash.h"

namespace quipu::text::analysis {
namespace {

struct Deleter {
  void operator()(sb_stemmer* stemmer) const noexcept { sb_stemmer_delete(stemmer); }
};

// The stems of words met lately. Words follow Zipf's law: most of a text are among a few hundred,
// and Snowball takes ten times as long for one as finding it here.
class Cache {
 public:
  struct Entry {
    std::uint8_t word_size = 0;
    std::uint8_t stem_size = 0;
    char word[31] = {};
    char stem[31] = {};
  };
  static constexpr std::size_t kSizeMax = sizeof(Entry::word);

  // The one place that the word can be at.
  Entry& entry_of(std::string_view word) noexcept {
    return entries_[static_cast<std::size_t>(hash_bytes(word)) % std::size(entries_)];
  }

 private:
  Entry entries_[2048];  // 128 kB
};

// What one thread stems the words of one language with.
struct Worker {
  std::unique_ptr<sb_stemmer, Deleter> stemmer;
  std::unique_ptr<Cache> cache;
};

Worker& of_this_thread(std::size_t index) {
  thread_local std::vector<Worker> workers;
  if (workers.size() <= index) workers.resize(index + 1);
  Worker& worker = workers[index];
  if (worker.stemmer == nullptr) {
    worker.stemmer.reset(sb_stemmer_new(sb_stemmer_list()[index], nullptr));
    // The name is from its own list, so only memory can be what is missing.
    QUIPU_ASSERT(worker.stemmer != nullptr);
    worker.cache = std::make_unique<Cache>();
  }
  return worker;
}

}  // namespace

std::optional<Stemmer> Stemmer::find(std::string_view language) {
  const char** const names = sb_stemmer_list();
  for (std::size_t i = 0; names[i] != nullptr; ++i) {
    if (language == names[i]) return Stemmer(i);
  }
  return std::nullopt;
}

std::vector<std::string_view> Stemmer::languages() {
  std::vector<std::string_view> out;
  for (const char** name = sb_stemmer_list(); *name != nullptr; ++name) out.emplace_back(*name);
  std::sort(out.begin(), out.end());
  return out;
}

std::size_t Stemmer::stem(char* word, std::size_t size) const {
  if (size == 0 || size > kStemBytesMax) return size;
  Worker& worker = of_this_thread(index_);
  Cache::Entry* const entry =
      size <= Cache::kSizeMax ? &worker.cache->entry_of({word, size}) : nullptr;
  if (entry != nullptr && entry->word_size == size && std::memcmp(entry->word, word, size) == 0) {
    std::memcpy(word, entry->stem, entry->stem_size);
    return entry->stem_size;
  }
  const sb_symbol* const stem = sb_stemmer_stem(
      worker.stemmer.get(), reinterpret_cast<const sb_symbol*>(word), static_cast<int>(size));
  QUIPU_ASSERT(stem != nullptr);  // Null when memory is out.
  const auto stem_size = static_cast<std::size_t>(sb_stemmer_length(worker.stemmer.get()));
  if (stem_size > 2 * size + 8) return size;  // None grows so: then the word stays as it is.
  if (entry != nullptr && stem_size <= Cache::kSizeMax) {
    entry->word_size = static_cast<std::uint8_t>(size);
    entry->stem_size = static_cast<std::uint8_t>(stem_size);
    std::memcpy(entry->word, word, size);
    std::memcpy(entry->stem, stem, stem_size);
  }
  std::memcpy(word, stem, stem_size);
  return stem_size;
}

}  // namespace quipu::text::analysis
