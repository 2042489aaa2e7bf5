// What every communicator owes, for any number of ranks; called by all ranks of `world` together.
#pragma once

#include "dist/communicator.h"

namespace frond {

void CheckReductions(Communicator& world);
void CheckMovement(Communicator& world);  // gathers, broadcasts, bytes, barriers
void CheckSplits(Communicator& world);
void CheckKeepGrads(Communicator& world);
void CheckEarlySums(Communicator& world);  // gradients summed while a pass goes on
void CheckMesh(Communicator& world);
// Operands in a device's memory give the same bits as in the host's.
void CheckDeviceOperands(Communicator& world);
void CheckLargeCounts(Communicator& world);  // more than 2^31 bytes on every rank

}  // namespace frond
