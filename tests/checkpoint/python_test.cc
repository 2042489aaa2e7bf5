// The reference implementation reads what we write and we read what it writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_writer.h"
#include "tests/checkpoint/temp_folder.h"

namespace frond {
namespace {

// Reads every tensor by the package's own parser and writes its bytes again. NumPy has no bfloat16,
// so its bits travel as integers.
constexpr char kScript[] = R"(
import sys
import numpy, safetensors, safetensors.numpy
with safetensors.safe_open(sys.argv[1], 'np') as file:
    assert file.metadata() == {'format': 'pt'}, file.metadata()
numpy_types = {'F64': '<f8', 'F32': '<f4', 'BF16': '<u2', 'I32': '<i4'}
tensors = {}
for name, t in safetensors.deserialize(open(sys.argv[1], 'rb').read()):
    tensors[name] = numpy.frombuffer(t['data'], numpy_types[t['dtype']]).reshape(t['shape'])
safetensors.numpy.save_file(tensors, sys.argv[2], {'by': 'python'})
)";

TEST(PythonTest, AgreesWithTheReferenceImplementation) {
  const char* from_environment = std::getenv("FROND_PYTHON");
  const std::string python =
      from_environment != nullptr ? from_environment : "/opt/frond-venv/bin/python";
  if (std::system(absl::StrCat(python, " -c 'import numpy, safetensors' 2>/dev/null").c_str()) !=
      0) {
    GTEST_SKIP() << "no Python with numpy and safetensors at " << python << " (set FROND_PYTHON)";
  }
  TempFolder folder;
  TensorBag bag(FreshSeed());
  bag.Add("encoder.q.weight", {33, 17}, DType::kF32);
  bag.Add("half", {5, 3}, DType::kBF16);
  bag.Add("double", {2, 2, 2}, DType::kF64);
  bag.Add("count", {7}, DType::kI32);
  bag.Add("scalar", {}, DType::kF32);
  bag.Add("empty", {0, 4}, DType::kF32);
  const std::string ours = folder / "ours.safetensors", theirs = folder / "theirs.safetensors";
  ASSERT_TRUE(WriteSafetensors(ours, bag.tensors()).ok());
  ASSERT_TRUE(WriteFileAtomically(folder / "script.py", kScript).ok());
  const std::string command = absl::StrCat(python, " ", folder / "script.py ", ours, " ", theirs);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto reader = SafetensorsReader::Open(theirs);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->metadata().at("by"), "python");
  EXPECT_EQ((*reader)->entries().size(), bag.tensors().size());
  for (const NamedTensor& tensor : bag.tensors()) {
    const SafetensorsEntry* entry = (*reader)->Find(tensor.name);
    ASSERT_NE(entry, nullptr) << tensor.name;
    EXPECT_EQ(std::string(entry->bytes), BytesOf(tensor.value)) << tensor.name;
    EXPECT_EQ(entry->ShapeToString(), tensor.value.shape.ToString()) << tensor.name;
  }
}

}  // namespace
}  // namespace frond
