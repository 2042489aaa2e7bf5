// RETURN_IF_ERROR and ASSIGN_OR_RETURN for absl::Status and absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expression)                                                        \
  do {                                                                                     \
    if (absl::Status status_macro = (expression); !status_macro.ok()) return status_macro; \
  } while (false)

#define FROND_CONCAT_INNER_(a, b) a##b
#define FROND_CONCAT_(a, b) FROND_CONCAT_INNER_(a, b)
#define FROND_ASSIGN_OR_RETURN_(result, lhs, expression) \
  auto result = (expression);                            \
  if (!result.ok()) return std::move(result).status();   \
  lhs = *std::move(result)
#define ASSIGN_OR_RETURN(lhs, expression) \
  FROND_ASSIGN_OR_RETURN_(FROND_CONCAT_(status_or_, __LINE__), lhs, expression)
