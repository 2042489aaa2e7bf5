#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "checkpoint/cell_sum.h"
#include "checkpoint/hf_weights.h"
#include "checkpoint/safetensors_writer.h"
#include "core/tensor/transfer.h"
#include "tests/checkpoint/temp_folder.h"
#include "tests/core/tensor/far_memory.h"

namespace frond {
namespace {

using testing::HasSubstr;

std::string File(absl::string_view header, absl::string_view data) {
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(header.size() >> (8 * i));
  return absl::StrCat(out, header, data);
}

std::string Error(absl::string_view bytes) {
  const auto reader = SafetensorsReader::FromBytes("x.safetensors", bytes);
  return reader.ok() ? "" : std::string(reader.status().message());
}

void WriteAsBf16(const std::string& folder, const NamedTensor& tensor) {
  ASSERT_TRUE(WriteHfWeights(folder, {&tensor, 1}, {.dtype = DType::kBF16}).ok());
}

TEST(SafetensorsTest, RoundTripOfEveryDtype) {
  TempFolder folder;
  TensorBag bag(FreshSeed());
  bag.Add("i32", {5}, DType::kI32);
  bag.Add("bf16", {3, 5}, DType::kBF16);
  bag.Add("f32", {700, 301}, DType::kF32);  // more than one chunk
  bag.Add("f64", {2, 3, 4, 5}, DType::kF64);
  bag.Add("scalar", {}, DType::kF32);
  bag.Add("empty", {0, 7}, DType::kF32);
  const std::string path = folder / "a.safetensors";
  const auto record = WriteSafetensors(path, bag.tensors());
  ASSERT_TRUE(record.ok()) << record.status();
  const std::string bytes = *ReadFile(path);
  EXPECT_EQ(record->size, bytes.size());
  uint64_t end = 0;
  for (const FileRange& range : record->ranges) {
    EXPECT_EQ(range.offset, end) << range.name;
    end += range.bytes;
    CellSum cells(range.cell_bytes, 0);
    cells.Add(absl::string_view(bytes).substr(range.offset, range.bytes));
    EXPECT_EQ(range.checksum, cells.sum()) << range.name;
  }
  EXPECT_EQ(end, bytes.size());

  const auto reader = SafetensorsReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->metadata().at("format"), "pt");
  EXPECT_EQ((*reader)->entries().size(), bag.tensors().size());
  TensorBag read(0);
  for (const NamedTensor& tensor : bag.tensors()) {
    View out = read.Make(tensor.name, tensor.value.shape, tensor.value.dtype);
    ASSERT_TRUE((*reader)->Read(tensor.name, out).ok());
    EXPECT_EQ(BytesOf(out), BytesOf(tensor.value)) << tensor.name;
    const SafetensorsEntry* entry = (*reader)->Find(tensor.name);
    const auto offset = entry->bytes.data() - (*reader)->entries()[0].bytes.data();
    EXPECT_EQ(offset % static_cast<long>(StoredTypeSize(entry->type)), 0) << tensor.name;
  }
}

// A device's tensors travel in pieces; the file is the same as from the host.
TEST(SafetensorsTest, ADevicesTensors) {
  TempFolder folder;
  TensorBag bag(FreshSeed());
  FarMemory memory;
  Context ctx(memory);
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    SCOPED_TRACE(DTypeName(dtype));
    const View host = bag.Add(absl::StrCat("w", DTypeName(dtype)), {3, kPieceElements / 2}, dtype);
    Tensor device(ctx, host.shape, dtype);
    CopyFromHost(ctx, host.data, device);
    std::string files[2];
    for (int far = 0; far < 2; ++far) {
      NamedTensor tensor = {.name = "w", .value = host};
      if (far == 1) tensor = {.name = "w", .value = device, .memory = &memory};
      WriteAsBf16(folder.path(), tensor);
      files[far] = *ReadFile(folder / "model.safetensors");
    }
    EXPECT_TRUE(files[0] == files[1]);
    const auto reader = SafetensorsReader::Open(folder / "model.safetensors");
    ASSERT_TRUE(reader.ok());
    Tensor read(ctx, host.shape, DType::kF32);
    const View expected = bag.Make(absl::StrCat("r", DTypeName(dtype)), host.shape, DType::kF32);
    ASSERT_TRUE((*reader)->Read("w", read, &memory).ok());
    ASSERT_TRUE((*reader)->Read("w", expected).ok());
    std::string bytes(read.bytes(), 0);
    CopyToHost(ctx, read, bytes.data());
    EXPECT_TRUE(bytes == BytesOf(expected));
  }
  EXPECT_EQ(memory.most_bytes(), 3 * kPieceElements / 2 * sizeof(float));  // the test's own copies
}

TEST(SafetensorsTest, ConvertsWhenWritingAndReading) {
  TempFolder folder;
  TensorBag bag(FreshSeed());
  const View f32 = bag.Add("w", {64, 9}, DType::kF32);
  WriteAsBf16(folder.path(), {.name = "w", .value = f32});
  const auto reader = SafetensorsReader::Open(folder / "model.safetensors");
  const View as_f32 = bag.Make("a", f32.shape, DType::kF32);
  const View as_f64 = bag.Make("b", f32.shape, DType::kF64);
  ASSERT_TRUE((*reader)->Read("w", as_f32).ok());
  ASSERT_TRUE((*reader)->Read("w", as_f64).ok());
  for (int64_t i = 0; i < f32.num_elements(); ++i) {
    const float value = f32.As<float>()[i], rounded = as_f32.As<float>()[i];
    EXPECT_LE(std::abs(rounded - value), std::abs(value) / 256) << i;  // half a unit of 8 bits
    EXPECT_EQ(as_f64.As<double>()[i], rounded);
  }
  const View wrong_type = bag.Make("c", f32.shape, DType::kI32);
  EXPECT_THAT(std::string((*reader)->Read("w", wrong_type).message()), HasSubstr("BF16"));
  const View wrong_shape = bag.Make("d", {9, 64}, DType::kF32);
  EXPECT_THAT(std::string((*reader)->Read("w", wrong_shape).message()),
              HasSubstr("tensor 'w' is [64, 9], but [9, 64] is wanted"));
  EXPECT_THAT(std::string((*reader)->Read("v", f32).message()), HasSubstr("no tensor 'v'"));
}

// Ties go to the even neighbour; NaN stays NaN; the largest values become infinite.
TEST(SafetensorsTest, Bf16RoundsToNearestEven) {
  const std::vector<std::pair<uint32_t, uint16_t>> cases = {
      {0x3F808000, 0x3F80}, {0x3F818000, 0x3F82}, {0x3F808001, 0x3F81}, {0x3F807FFF, 0x3F80},
      {0x7F7FFFFF, 0x7F80}, {0x80000000, 0x8000}, {0x7F800001, 0x7FC0}, {0xFF800000, 0xFF80}};
  for (const auto& [from, to] : cases) {
    float value;
    uint16_t stored;
    std::memcpy(&value, &from, 4);
    EncodeElements(ConstView{&value, {1}, DType::kF32}, 0, 1, DType::kBF16,
                   reinterpret_cast<char*>(&stored));
    EXPECT_EQ(stored, to) << std::hex << from;
  }
}

// Every binary16 value against its definition.
TEST(SafetensorsTest, ReadsEveryHalf) {
  std::vector<uint16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  std::vector<float> out(halves.size());
  DecodeElements(StoredType::kF16, reinterpret_cast<const char*>(halves.data()),
                 View{out.data(), {1 << 16}, DType::kF32});
  for (size_t i = 0; i < halves.size(); ++i) {
    const int exponent = (i >> 10) & 31, mantissa = i & 1023;
    const double sign = i & 0x8000 ? -1 : 1;
    double want =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    if (exponent == 31) want = std::numeric_limits<double>::infinity();
    if (exponent == 31 && mantissa != 0) {
      EXPECT_TRUE(std::isnan(out[i])) << i;
      continue;
    }
    EXPECT_EQ(out[i], static_cast<float>(sign * want)) << i;
    EXPECT_EQ(std::signbit(out[i]), sign < 0) << i;
  }
}

TEST(SafetensorsTest, ReadsUnalignedData) {
  const float values[2] = {1.5f, -2.25f};
  const std::string data(reinterpret_cast<const char*>(values), 8);
  std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  for (int pad = 0; pad < 4; ++pad, header += ' ') {
    const std::string bytes = File(header, data);
    const auto reader = SafetensorsReader::FromBytes("x", bytes);
    ASSERT_TRUE(reader.ok()) << reader.status();
    float out[2] = {};
    ASSERT_TRUE((*reader)->Read("w", View{out, {2}, DType::kF32}).ok());
    EXPECT_EQ(out[0], 1.5f);
    EXPECT_EQ(out[1], -2.25f);
  }
}

struct Lie {
  const char* entry;
  const char* complaint;
};

// A file of 8 data bytes whose one tensor is not what it says.
TEST(SafetensorsTest, RefusesEveryLieOfAnEntry) {
  const Lie lies[] = {
      {R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", "takes 8"},
      {R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})", "but 8 follow"},
      {R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})", "leaving a hole from 0"},
      {R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", "run backwards"},
      {R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})", "the file holds 8 data bytes"},
      {R"({"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]})", "holds 8"},
      {R"({"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]})", "data_offsets"},
      {R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})", "data_offsets [-8,0]"},
      {R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,8]})", "data_offsets [0,8,8]"},
      {R"({"dtype":"F32","shape":[2],"data_offsets":"0,8"})", "data_offsets"},
      {R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", "dimension -2"},
      {R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})", "dimension 2.0"},
      {R"({"dtype":"F32","shape":["2"],"data_offsets":[0,8]})", "dimension"},
      {R"({"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]})", "dimension"},
      {R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})", "overflows"},
      {R"({"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]})", "overflows"},
      {R"({"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]})", "overflows"},
      {R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})", "shape 2"},
      {R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})", "unknown dtype \"F31\""},
      {R"({"dtype":7,"shape":[2],"data_offsets":[0,8]})", "unknown dtype 7"},
      {R"({"shape":[2],"data_offsets":[0,8]})", "no dtype"},
      {R"({"dtype":"F32","data_offsets":[0,8]})", "no shape"},
      {R"({"dtype":"F32","shape":[2]})", "no data_offsets"},
      {R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1})", "unknown field 'more'"},
      {R"({"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]})", "repeats"},
      {R"({"dtype":"F32","shape":[[2]],"data_offsets":[0,8]})", "nested too deeply"},
      {R"([1, 2])", "is [1,2]"},
      {R"(null)", "is null"},
  };
  for (const Lie& lie : lies) {
    const std::string error = Error(File(absl::StrCat(R"({"w.q":)", lie.entry, "}"), "12345678"));
    EXPECT_THAT(error, HasSubstr("x.safetensors")) << lie.entry;
    EXPECT_THAT(error, HasSubstr(lie.complaint)) << lie.entry;
    EXPECT_THAT(error, Not(HasSubstr("\n")));
  }
}

TEST(SafetensorsTest, RefusesBadHeaders) {
  const std::string good = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(Error(File(good, "12345678")), "");
  EXPECT_EQ(Error(File("{}", "")), "");
  EXPECT_THAT(Error(""), HasSubstr("has 0 bytes"));
  EXPECT_THAT(Error("1234567"), HasSubstr("has 7 bytes"));
  EXPECT_THAT(Error(File("", "")), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(Error(File("[]", "")), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(Error(File("{]", "")), HasSubstr("not JSON"));
  EXPECT_THAT(Error(File("{\"\xff\":1}", "")), HasSubstr("not JSON"));
  EXPECT_THAT(Error(std::string(8, '\xff') + "{}"), HasSubstr("claims 18446744073709551615 bytes"));
  EXPECT_THAT(Error(std::string("\x10\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("claims 16 bytes, but onl"));
  EXPECT_THAT(Error(File(R"({"__metadata__":{"a":1}})", "")), HasSubstr("not a text"));
  EXPECT_THAT(Error(File(R"({"__metadata__":[]})", "")), HasSubstr("not an object"));
  EXPECT_THAT(Error(File("{\"a\":" + std::string(100000, '['), "")), HasSubstr("too deeply"));
  const std::string twice = good.substr(0, good.size() - 1) + "," + good.substr(1);
  EXPECT_THAT(Error(File(twice, "12345678")), HasSubstr("repeats the key 'w'"));
  const std::string overlap = R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},)"
                              R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})";
  EXPECT_THAT(Error(File(overlap, "12345678")), HasSubstr("'b' begins at 4, inside 'a'"));
}

TEST(SafetensorsTest, LargeRankIsAnErrorOnlyWhenRead) {
  const std::string bytes =
      File(R"({"w":{"dtype":"F32","shape":[1,1,1,2,1],"data_offsets":[0,8]}})", "12345678");
  const auto reader = SafetensorsReader::FromBytes("x", bytes);
  ASSERT_TRUE(reader.ok());
  float out[2];
  EXPECT_THAT(std::string((*reader)->Read("w", View{out, {1, 2, 1, 1}, DType::kF32}).message()),
              HasSubstr("[1, 1, 1, 2, 1]"));
}

TEST(SafetensorsTest, RefusesEveryTruncation) {
  TempFolder folder;
  TensorBag bag(FreshSeed());
  bag.Add("a", {3, 2}, DType::kF32);
  bag.Add("b", {5}, DType::kBF16);
  const std::string path = folder / "a.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, bag.tensors()).ok());
  const std::string bytes = *ReadFile(path);
  ASSERT_EQ(Error(bytes), "");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(Error(absl::string_view(bytes).substr(0, size)), "") << size;
  }
  EXPECT_NE(Error(bytes + "x"), "");
}

// Whatever happens to the header, a reader that opens can read all its tensors within the file.
TEST(SafetensorsTest, DamagedHeadersNeverCrash) {
  const uint64_t seed = FreshSeed();
  TempFolder folder;
  TensorBag bag(seed);
  bag.Add("layer.weight", {3, 2}, DType::kF32);
  bag.Add("layer.bias", {2}, DType::kF32);
  const std::string path = folder / "a.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, bag.tensors()).ok());
  const std::string bytes = *ReadFile(path);
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 20000; ++trial) {
    std::string damaged = bytes;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
      damaged[random() % (bytes.size() - 32)] ^= static_cast<char>(1 << (random() % 8));
    }
    const auto reader = SafetensorsReader::FromBytes("x", damaged);
    if (!reader.ok()) continue;
    for (const SafetensorsEntry& entry : (*reader)->entries()) {
      EXPECT_GE(entry.bytes.data(), damaged.data());
      EXPECT_LE(entry.bytes.data() + entry.bytes.size(), damaged.data() + damaged.size());
    }
  }
}

}  // namespace
}  // namespace frond
