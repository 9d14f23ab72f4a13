// Files byte by byte, and which checkpoint is whose.
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"
#include "framework/io/nesting.h"
#include "framework/io/safetensors.h"
#include "tests/support/device.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

TEST(SafeTensorsReference, TheLengthIsLittleEndianAndDataBeginAligned) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "x.safetensors").string();
  for (std::size_t letters = 1; letters <= 8; ++letters) {  // headers of every length
    io::SafeTensors file;
    io::HostTensor tensor{Shape{3}, DType::u8, {std::byte{1}, std::byte{2}, std::byte{3}}};
    file.tensors[std::string(letters, 'n')] = tensor;
    file.save(path);
    const std::string bytes = io::read_text(path);
    std::size_t length = 0;
    for (std::size_t i = 8; i-- > 0;) length = 256 * length + static_cast<unsigned char>(bytes[i]);
    EXPECT_EQ(length % 8, 0u);
    ASSERT_EQ(bytes.size(), 8 + length + 3);
    EXPECT_EQ(bytes.substr(8 + length), "\x01\x02\x03");
    EXPECT_EQ(bytes[8], '{');
  }
}

// Of the right size in all, for one hides behind the other.
TEST(SafeTensorsReference, AGapAndAnOverlapAreRefusedTogether) {
  const std::string header = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  EXPECT_THROW(io::SafeTensors::parse(bytes + header + "12345678", "f"), Error);
}

TEST(JsonReference, AnEscapedQuoteEndsNoString) {
  EXPECT_FALSE(io::json_exceeds(R"({"a\"[[[[[[": 1})", 2, 100));
  EXPECT_TRUE(io::json_exceeds(R"({"a\\":[[[[[[1]]]]]]})", 2, 100));
}

// The limit stands for a full disk, which takes the first bytes.
TEST(AtomicFileReference, NothingIsLeftOfAFileThatCouldNotBeWritten) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "file").string();
  io::write_atomically(path, std::string_view("old"));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{2, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(io::write_atomically(path, std::string_view("newer")), Error);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(io::read_text(path), "old");
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++entries;
  EXPECT_EQ(entries, 1u);
}

class CheckpointReference : public DeviceTest {};

TEST_P(CheckpointReference, ACheckpointOfAnotherTrainingIsLeftAlone) {
  const TemporaryDirectory folder;
  nn::ParameterStore store;
  store.add("w", Shape{4}, nn::Decay::yes, nn::Initial::normal(1));
  store.build(arena(), 1);
  const io::CheckpointPair pair((folder.path() / "x.safetensors").string(), store, nullptr);
  const auto report = [](const std::string& what) { ADD_FAILURE() << what; };
  pair.save({{"network", "a"}, {"epochs", "3"}});
  const std::vector<float> saved = store.values().to_host<float>();
  store.values().zero();
  EXPECT_FALSE(pair.load({{"network", "b"}}, report));
  EXPECT_FALSE(pair.load({{"network", "a"}, {"seed", "1"}}, report));
  EXPECT_EQ(store.values().to_host<float>(), std::vector<float>(64, 0.0f));
  const auto facts = pair.load({{"network", "a"}}, report);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->at("epochs"), "3");
  EXPECT_EQ(store.values().to_host<float>(), saved);
}

TEST_P(CheckpointReference, AnInterruptedOneIsGoneWithTheNextEpoch) {
  const TemporaryDirectory folder;
  nn::ParameterStore store;
  store.add("w", Shape{4}, nn::Decay::yes, nn::Initial::normal(1));
  store.build(arena(), 1);
  const io::CheckpointPair pair((folder.path() / "x.safetensors").string(), store, nullptr);
  const auto report = [](const std::string& what) { ADD_FAILURE() << what; };
  pair.save({{"epochs", "1"}});
  pair.save_interrupted({{"epochs", "1"}, {"batches", "2"}});
  EXPECT_EQ(pair.load({}, report)->at("batches"), "2");
  pair.save({{"epochs", "2"}});
  const auto facts = pair.load({}, report);
  EXPECT_EQ(facts->at("epochs"), "2");
  EXPECT_FALSE(facts->contains("batches"));
}

TEST_P(CheckpointReference, OneOfAnotherProcessIsKeptAsIfItWereSavedHere) {
  const TemporaryDirectory here, elsewhere;
  nn::ParameterStore store;
  store.add("w", Shape{4}, nn::Decay::yes, nn::Initial::normal(1));
  store.build(arena(), 1);
  const auto report = [](const std::string& what) { ADD_FAILURE() << what; };
  const std::string path = (here.path() / "x.safetensors").string();
  const std::string other = (elsewhere.path() / "y.safetensors").string();
  const io::CheckpointPair pair(path, store, nullptr), theirs(other, store, nullptr);
  pair.save({{"epochs", "1"}});
  const std::string first = io::read_text(path);
  pair.save_interrupted({{"epochs", "1"}, {"batches", "2"}});
  theirs.save({{"epochs", "2"}});
  io::keep_checkpoint(path, io::read_text(other));
  const auto facts = pair.load({}, report);
  EXPECT_EQ(facts->at("epochs"), "2");
  EXPECT_FALSE(facts->contains("batches"));
  EXPECT_EQ(io::read_text(path), io::read_text(other));
  EXPECT_EQ(io::read_text(io::previous_checkpoint(path)), first);
}

ADWP_ON_EVERY_DEVICE(CheckpointReference);

}  // namespace
}  // namespace adwp::test
