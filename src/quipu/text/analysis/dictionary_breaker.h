// Words of scripts that put no spaces between them, by ICU's dictionaries: Chinese, Japanese, Thai,
// Lao, Khmer, Burmese.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "quipu/result.h"

namespace quipu::text::analysis {

// Opens the dictionaries, so that a process that lacks ICU's data learns it when an analyzer is
// made. Errors: kUnavailable with ICU's reason.
Status check_dictionaries();

// Calls `visit` with the end of each word of `run`, in order, the last being run.size(); stops when
// it returns false. `run` is cut into windows of 2,048 characters at word boundaries, so memory is
// bounded. Bytes that are not UTF-8 count as U+FFFD.
//
// Threads: any; each has its own iterator, made on its first run (some 100 kB; the dictionaries
// themselves are mapped from ICU's library and shared).
void for_each_dictionary_word(std::string_view run,
                              const std::function<bool(std::size_t end)>& visit);

}  // namespace quipu::text::analysis
