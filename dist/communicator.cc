#include "dist/communicator.h"

#include "core/base/check.h"

namespace frond {

Pending::~Pending() { CHECK(wait_ == nullptr) << "a collective was started and never waited for"; }

Pending& Pending::operator=(Pending&& other) noexcept {
  CHECK(wait_ == nullptr) << "a collective was started and never waited for";
  wait_ = std::exchange(other.wait_, nullptr);
  return *this;
}

void Pending::Wait() {
  const std::function<void()> wait = std::exchange(wait_, nullptr);
  if (wait != nullptr) wait();
}

}  // namespace frond
