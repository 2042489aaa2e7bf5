// A tokenizer that tests train in milliseconds.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "data/tokenizer.h"
#include "data/tokenizer_trainer.h"

namespace frond {

// Sentences of a few English words, in a fixed order.
inline std::string TinySentence(int i) {
  constexpr std::array kNumbers = {"one", "two", "three", "four", "five", "six", "seven", "eight"};
  constexpr std::array kColours = {"red", "green", "blue", "white", "black", "yellow", "grey"};
  constexpr std::array kThings = {"leaves", "stones", "rivers", "houses", "birds"};
  return std::string(kNumbers[i % kNumbers.size()]) + " " + kColours[i % kColours.size()] + " " +
         kThings[i % kThings.size()];
}

inline std::string TinyModelBytes(int32_t vocab_size = 400) {
  int i = 0;
  const auto next = [&i](std::string* sentence) {
    *sentence = TinySentence(i);
    return i++ < 300;
  };
  const auto bytes = TrainTokenizer({.vocab_size = vocab_size}, next);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

inline std::shared_ptr<const Tokenizer> TinyTokenizer(int32_t vocab_size = 400) {
  const auto tokenizer = Tokenizer::FromBytes(TinyModelBytes(vocab_size), "tiny.model");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.value_or(nullptr);
}

}  // namespace frond
