// How hard a model finds each example, for choosing among them.
#pragma once

#include <vector>

#include "models/t5/t5_model.h"

namespace frond {

// Means over the target tokens of an example, the end of the sequence among them.
struct ExampleScore {
  double loss = 0;  // -log p(target), natural logarithm
  // The length of the error vector, |p - onehot(target)|_2, as EL2N (Paul et al., "Deep Learning on
  // a Data Diet", 2021) has it for classes; between 0 and sqrt(2).
  double el2n = 0;
};

// Of each example of the batch, without dropout. Collective over the model's tensor axis.
std::vector<ExampleScore> ScoreExamples(Context& ctx, T5Model& model, const Batch& batch);

}  // namespace frond
