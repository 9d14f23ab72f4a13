#include "framework/io/safetensors.h"

#include <chrono>
#include <cstring>
#include <fstream>
#include <limits>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"
#include "framework/io/nesting.h"
#include "tests/support/device.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

std::string file_with(const std::string& header, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, 'x');
}

TEST(SafeTensors, RefusesWhatTheFormatForbids) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_NO_THROW(io::SafeTensors::parse(file_with(good, 8), "f"));
  const std::pair<const char*, std::string> bad[] = {
      {"empty", ""},
      {"header cut off", file_with(good, 8).substr(0, 20)},
      {"data cut off", file_with(good, 7)},
      {"data left over", file_with(good, 9)},
      {"not JSON", file_with("{\"a\":", 0)},
      {"not an object", file_with("[1]", 0)},
      {"unknown dtype", file_with(R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", 8)},
      {"shape and size differ", file_with(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8)},
      {"negative extent", file_with(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8)},
      {"five dimensions", file_with(R"({"a":{"dtype":"F32","shape":[1,1,1,1,2],"data_offsets":[0,8]}})", 8)},
      {"product overflows",
       file_with(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8)},
      {"offsets out of order", file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8)},
      {"offsets outside", file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", 8)},
      {"overlap", file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                            R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                            12)},
      {"gap", file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                        R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                        12)},
      {"nested without end", file_with(std::string(100000, '['), 0)},
      {"a header of exabytes", std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10)},
  };
  for (const auto& [what, bytes] : bad) {
    EXPECT_THROW(io::SafeTensors::parse(bytes, "f"), Error) << what;
  }
}

TEST(SafeTensors, AFileOfAnotherKindIsSaidToBeThat) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "f").string();
  for (const auto& [bytes, says] : std::vector<std::pair<std::string, std::string>>{
           {"<html><body>404</body></html>", "it is a web page"},
           {"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"},
           {std::string("PK\x03\x04", 4) + std::string(30, '\1'), "it is a ZIP archive"},
           {"", "it is empty"}}) {
    io::write_atomically(path, bytes);
    try {
      io::SafeTensors::load(path);
      ADD_FAILURE() << says;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
    }
  }
}

TEST(SafeTensors, TextOfMetadataMayHoldAnything) {
  io::SafeTensors file;
  file.metadata["a"] = std::string(50, '[') + "\\\"{{{{{{{{{{{{";
  file.metadata[std::string(50, '{')] = "\n";
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "f").string();
  file.save(path);
  EXPECT_EQ(io::SafeTensors::load(path).metadata, file.metadata);
}

TEST(SafeTensors, RefusesNamesThatStandTwiceAnywhere) {
  for (
      const char* header :
      {R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
       R"({"a":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
       R"({"__metadata__":{"k":"1","k":"2"}})"}) {
    EXPECT_THROW(io::SafeTensors::parse(file_with(header, 0), "f"), Error) << header;
  }
  const std::string same =
      R"({"__metadata__":{"a":"1"},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})";
  EXPECT_NO_THROW(io::SafeTensors::parse(file_with(same, 0), "f")) << "in different objects";
}

// Before: an hour for the names, half a gigabyte for the values.
TEST(SafeTensors, AHeaderOfMillionsOfNamesOrValuesCostsNothing) {
  std::string names = "{", values = "{\"a\":[";
  for (int i = 0; i < 400'000; ++i) names += fmt::format("\"{}\":[],", i);
  for (int i = 0; i < 2'000'000; ++i) values += "{},";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(io::SafeTensors::parse(file_with(names + "\"z\":0}", 0), "f"), Error);
  EXPECT_THROW(io::SafeTensors::parse(file_with(values + "0]}", 0), "f"), Error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(SafeTensors, LoadReadsWhatParseReads) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "f").string();
  const std::string good = file_with(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                     R"("a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                                     0) +
                           "xyz";
  io::write_atomically(path, std::string_view(good));
  for (const io::SafeTensors& file : {io::SafeTensors::load(path), io::SafeTensors::parse(good, "f")}) {
    EXPECT_EQ(file.tensors.at("b").bytes, std::vector<std::byte>{std::byte{'x'}});
    EXPECT_EQ(file.tensors.at("a").bytes, (std::vector<std::byte>{std::byte{'y'}, std::byte{'z'}}));
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    io::write_atomically(path, std::string_view(good).substr(0, length));
    EXPECT_THROW(io::SafeTensors::load(path), Error) << length;
  }
  EXPECT_THROW(io::SafeTensors::load(folder.path().string()), Error);
}

TEST(JsonExceeds, CountsBracketsAndValuesOutsideStrings) {
  EXPECT_FALSE(io::json_exceeds(R"({"a":[1,{"b":2}]})", 3, 100));
  EXPECT_TRUE(io::json_exceeds(R"({"a":[1,{"b":2}]})", 2, 100));
  EXPECT_FALSE(io::json_exceeds(R"(["[[[[","\"[[[[","\\"])", 1, 100));
  EXPECT_TRUE(io::json_exceeds(R"(["\\",[]])", 1, 100)) << "an escaped backslash ends before the quote";
  EXPECT_FALSE(io::json_exceeds("[1,2,3,4]", 9, 5));
  EXPECT_TRUE(io::json_exceeds("[1,2,3,4]", 9, 4));
  EXPECT_FALSE(io::json_exceeds(R"(["1,2,3,4,5,6"])", 9, 4));
}

TEST(TomlNestsDeeply, CountsPartsOfAKey) {
  const auto key = [](int parts) {
    std::string text = "a";
    for (int i = 1; i < parts; ++i) text += ". b";
    return text + " = 1";
  };
  EXPECT_FALSE(io::toml_nests_deeply(key(24)));
  EXPECT_TRUE(io::toml_nests_deeply(key(25)));
  EXPECT_FALSE(io::toml_nests_deeply(key(20) + "\n" + key(20)));
  EXPECT_FALSE(io::toml_nests_deeply("data = '" + std::string(300, '.') + "'"));
  EXPECT_TRUE(io::toml_nests_deeply("data = '" + key(25) + "'")) << "values are not told from keys";
}

class SafeTensorsOnDevice : public DeviceTest {};

TEST_P(SafeTensorsOnDevice, RoundTripKeepsEveryBit) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "t.safetensors").string();
  const Tensor a = upload(random_array(Shape{3, 5}, 1)), empty(arena(), Shape{0, 4});
  const Tensor labels = upload(Shape{4}, {1, -2, 3, -4});
  io::SafeTensors file;
  file.add("a", a);
  file.add("labels", labels);
  file.add("empty", empty);
  file.metadata["epochs"] = "3";
  file.save(path);
  const io::SafeTensors loaded = io::SafeTensors::load(path);
  EXPECT_EQ(loaded.metadata.at("epochs"), "3");
  const Tensor b(arena(), Shape{3, 5}), again(arena(), Shape{4}, DType::i32);
  loaded.restore("a", b);
  loaded.restore("labels", again);
  EXPECT_EQ(b.to_host<float>(), a.to_host<float>());
  EXPECT_EQ(again.to_host<std::int32_t>(), labels.to_host<std::int32_t>());
  EXPECT_THROW(loaded.restore("missing", b), Error);
  EXPECT_THROW(loaded.restore("a", Tensor(arena(), Shape{5, 3})), Error);
  EXPECT_THROW(loaded.restore("a", Tensor(arena(), Shape{3, 5}, DType::i32)), Error);
}

TEST_P(SafeTensorsOnDevice, ACheckpointContinuesToTheSameBits) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "c.safetensors").string();
  auto make = [&](std::uint64_t seed) {
    auto store = std::make_unique<nn::ParameterStore>();
    store->add("w", Shape{8, 8}, nn::Decay::yes, nn::Initial::he(8));
    store->add("b", Shape{8}, nn::Decay::no, nn::Initial::uniform(1));
    store->build(arena(), seed);
    return store;
  };
  auto step = [&](const nn::ParameterStore& store, optim::Optimizer& optimizer, std::uint64_t i) {
    store.gradients().copy_from(upload(random_array(store.gradients().shape(), 50 + i)));
    optimizer.step(0.01f);
  };
  const auto store = make(1);
  optim::AdamW optimizer(backend(), arena(), *store, {.max_norm = 1});
  for (std::uint64_t i = 0; i < 3; ++i) step(*store, optimizer, i);
  io::save_checkpoint(path, *store, &optimizer, {}, {{"epochs", "3"}});
  for (std::uint64_t i = 3; i < 6; ++i) step(*store, optimizer, i);

  const auto other = make(2);
  optim::AdamW resumed(backend(), arena(), *other, {.max_norm = 1});
  EXPECT_EQ(io::CheckpointPair(path, *other, &resumed).load({}, {})->at("epochs"), "3");
  for (std::uint64_t i = 3; i < 6; ++i) step(*other, resumed, i);
  for (int parameter : {0, 1}) {
    EXPECT_EQ((*other)[parameter].value().to_host<float>(), (*store)[parameter].value().to_host<float>());
  }

  nn::ParameterStore wrong;
  wrong.add("w", Shape{4, 4}, nn::Decay::yes, nn::Initial::he(4));
  wrong.build(arena(), 0);
  EXPECT_THROW(io::CheckpointPair(path, wrong, nullptr).load({}, {}), Error);
}

TEST_P(SafeTensorsOnDevice, OfTheLastTwoCheckpointsTheNewestWholeOneIsUsed) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "c.safetensors").string();
  const std::string previous = (folder.path() / "c.previous.safetensors").string();
  nn::ParameterStore store;
  store.add("w", Shape{8}, nn::Decay::no, nn::Initial::constant(0));
  store.build(arena(), 0);
  const io::CheckpointPair pair(path, store, nullptr);
  std::string reported;
  auto load = [&] {
    reported.clear();
    return pair.load({{"model", "m"}}, [&](const std::string& what) { reported += what; });
  };
  auto save = [&](float value) {
    store.values().copy_from_host(std::span<const float>(
        std::vector<float>(static_cast<std::size_t>(store.values().elements()), value)));
    pair.save({{"model", "m"}, {"epochs", std::to_string(static_cast<int>(value))}});
  };
  auto flip = [](const std::string& file, std::streamoff from_end) {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(-from_end, std::ios::end);
    const int byte = stream.get();
    stream.seekp(-from_end, std::ios::end);
    stream.put(static_cast<char>(byte ^ 4));
  };
  EXPECT_FALSE(load());
  for (float value : {1.0f, 2.0f, 3.0f}) save(value);
  EXPECT_EQ(load()->at("epochs"), "3");
  EXPECT_EQ(io::read_checkpoint(previous).file.metadata.at("epochs"), "2");
  EXPECT_FALSE(pair.load({{"model", "other"}}, {})) << "it is of another training";

  // A kill while 4 was being saved, between keeping 3 and putting 4 in its place: 3 has both names.
  std::filesystem::remove(previous);
  std::filesystem::create_hard_link(path, previous);
  save(4);
  EXPECT_EQ(load()->at("epochs"), "4");
  EXPECT_EQ(io::read_checkpoint(previous).file.metadata.at("epochs"), "3");

  flip(path, 3);
  EXPECT_THROW(io::read_checkpoint(path), Error);
  std::string damaged;
  const auto read = io::read_newest(path, [&](const std::string& one, const Error&) { damaged += one; });
  EXPECT_EQ(read->path, previous) << "reading moves nothing away";
  EXPECT_EQ(damaged, path);
  EXPECT_EQ(load()->at("epochs"), "3");
  EXPECT_EQ(store[0].value().to_host<float>(), std::vector<float>(8, 3));
  EXPECT_NE(reported.find("c.safetensors is damaged"), std::string::npos) << reported;
  save(4);  // must not put the damaged one in the place of the good one
  EXPECT_EQ(load()->at("epochs"), "4");
  EXPECT_EQ(reported, "");
  EXPECT_EQ(io::read_checkpoint(previous).file.metadata.at("epochs"), "3");

  const std::string header = io::read_text(path);
  flip(path, static_cast<std::streamoff>(header.size() - header.find("epochs\":\"") - 9));  // 4 becomes 0
  flip(previous, 1);
  EXPECT_FALSE(load());
  EXPECT_NE(reported.find("c.previous.safetensors is damaged"), std::string::npos) << reported;
}

// A loss may still be finite when the weights are not.
TEST_P(SafeTensorsOnDevice, WhatIsNotFiniteIsNotSaved) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "c.safetensors").string();
  nn::ParameterStore store;
  store.add("w", Shape{8}, nn::Decay::no, nn::Initial::constant(1));
  store.build(arena(), 0);
  io::save_checkpoint(path, store, nullptr, {}, {});
  const std::string old = io::read_text(path);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(8, 2);
    values[7] = bad;
    store[0].value().copy_from_host(std::span<const float>(values));
    try {
      io::save_checkpoint(path, store, nullptr, {}, {});
      ADD_FAILURE() << bad << " was saved";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("[checkpoint] 'w' has come to hold "), std::string::npos)
          << error.what();
    }
    EXPECT_EQ(io::read_text(path), old);
  }
}

// Where a checkpoint should be moved or removed stands a folder.
TEST_P(SafeTensorsOnDevice, WhatCannotBeRemovedOrRenamedIsSaidInOneLine) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "c.safetensors").string();
  nn::ParameterStore store;
  store.add("w", Shape{8}, nn::Decay::no, nn::Initial::constant(1));
  store.build(arena(), 0);
  const io::CheckpointPair pair(path, store, nullptr);
  const auto refuses = [](const std::string& says, const auto& call) {
    try {
      call();
      ADD_FAILURE() << "nothing was thrown, expected: " << says;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(says)) << error.what();
    }
  };
  const std::string interrupted = (folder.path() / "c.interrupted.safetensors").string();
  std::filesystem::create_directories(interrupted + "/within");
  refuses("[checkpoint] cannot remove " + interrupted + ": ", [&] { pair.save({}); });
  std::filesystem::remove_all(interrupted);

  io::write_atomically(path, "no checkpoint");
  const std::string aside = (folder.path() / "c.damaged.safetensors").string();
  std::filesystem::create_directory(aside);
  refuses("[checkpoint] cannot rename " + path + " to " + aside + ": ",
          [&] { pair.load({}, [](const std::string&) {}); });
}

ADWP_ON_EVERY_DEVICE(SafeTensorsOnDevice);

TEST(AtomicFile, ReplacesNothingButFiles) {
  EXPECT_THROW(io::write_atomically("/dev/null", "text"), Error);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(AtomicFile, LeavesTheOldFileWhenItFails) {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "file").string();
  io::write_atomically(path, std::string_view("old"));
  EXPECT_EQ(io::read_text(path), "old");
  EXPECT_THROW(io::write_atomically((folder.path() / "none" / "file").string(), "new"), Error);
  std::filesystem::create_directory(folder.path() / "taken");
  EXPECT_THROW(io::write_atomically((folder.path() / "taken").string(), "new"), Error);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++entries;
  EXPECT_EQ(entries, 2u) << "no temporary file stays";
  EXPECT_THROW(io::read_text(path, 2), Error);
}

}  // namespace
}  // namespace adwp::test
