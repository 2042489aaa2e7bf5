// Clipping by the global norm (Pascanu et al., "On the difficulty of training recurrent neural
// networks", 2013).
#pragma once

namespace frond {

// What every gradient is multiplied by so that the global norm is at most `max_norm`; 1 where
// max_norm is 0 (never clip). See StepInfo::gradient_scale.
double ClipScale(double norm, double max_norm);

}  // namespace frond
