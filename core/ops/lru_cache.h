// A map that keeps the entries used last.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

namespace frond {

template <class Key, class Value, class Hash>
class LruCache {
 public:
  // `capacity` > 0 entries are kept.
  explicit LruCache(size_t capacity) : capacity_(capacity) {}

  // The entry of `key`, or null. Valid until the next call.
  const Value* Find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }

  // The entry of `key`, made by `make()` where it is not there. Valid until the next call.
  template <class Make>
  const Value& FindOrMake(const Key& key, const Make& make) {
    if (const Value* found = Find(key)) return *found;
    if (order_.size() == capacity_) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, make());
    index_[key] = order_.begin();
    return order_.front().second;
  }

 private:
  using Order = std::list<std::pair<Key, Value>>;
  size_t capacity_;
  Order order_;  // most recently used first
  std::unordered_map<Key, typename Order::iterator, Hash> index_;
};

}  // namespace frond
