#include "apps/common/settings.h"

#include <gtest/gtest.h>

#include <fstream>

#include "framework/core/error.h"
#include "tests/support/temporary_directory.h"

namespace adwp::apps {
namespace {

// The variables and settings of a made-up program.
struct Program {
  std::string data, out, space = "tiny";
  int batch = 32;
  uint64_t seed = 1;
  double rate = 0.003;
  bool verbose = false, resume = false, quiet = false;
  Settings settings{"search", "Searches."};

  Program() {
    settings.text("data", data, "SPEC", "The data set", Settings::Presence::required);
    settings.text("out", out, "DIR", "The run directory");
    settings.group("Training");
    settings.choice("space", space, "The search space", {"tiny", "cifar"});
    settings.integer("batch", batch, "Images a step", 1, 4096);
    settings.integer("seed", seed, "Seed", 0, INT64_MAX);
    settings.real("rate", rate, "Learning rate", 0, 10);
    settings.flag("verbose", verbose, "Say more");
    settings.run_control(resume, quiet);
  }

  bool parse(std::vector<std::string> arguments) {
    std::vector<const char*> argv = {"search"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return settings.parse(static_cast<int>(argv.size()), argv.data());
  }

  // The message of the usage error that parsing gives.
  std::string error(const std::vector<std::string>& arguments) {
    try {
      parse(arguments);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::usage);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "no error";
  }
};

std::string error_of(const std::vector<std::string>& arguments) { return Program().error(arguments); }

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

std::filesystem::path write_file(const test::TemporaryDirectory& folder, const std::string& contents) {
  const auto path = folder.path() / "settings.toml";
  std::ofstream(path) << contents;
  return path;
}

TEST(Settings, KeepsDefaultsAndReadsTheCommandLine) {
  Program program;
  ASSERT_TRUE(program.parse({"--data", "synthetic", "--batch=64", "--seed", "9223372036854775807", "--rate",
                             "1e-4", "--verbose", "--resume"}));
  EXPECT_EQ(program.data, "synthetic");
  EXPECT_EQ(program.batch, 64);
  EXPECT_EQ(program.seed, 9223372036854775807u);
  EXPECT_EQ(program.rate, 1e-4);
  EXPECT_EQ(program.space, "tiny");
  EXPECT_TRUE(program.verbose);
  EXPECT_TRUE(program.resume);
  EXPECT_FALSE(program.quiet);
}

TEST(Settings, RefusesWrongValues) {
  expect_part(error_of({"--data", "x", "--batch", "0"}), "--batch is out of its range, got '0'");
  expect_part(error_of({"--data", "x", "--batch", "-5"}), "got '-5'");
  expect_part(error_of({"--data", "x", "--batch", "12x"}), "expected a whole number from 1 to 4096");
  expect_part(error_of({"--data", "x", "--batch", "99999999999999999999"}), "--batch");
  expect_part(error_of({"--data", "x", "--batch", "1.5"}), "--batch");
  expect_part(error_of({"--data", "x", "--rate", "nan"}), "--rate");
  expect_part(error_of({"--data", "x", "--rate", "inf"}), "--rate");
  expect_part(error_of({"--data", "x", "--space", "huge"}), "expected one of: tiny, cifar");
  expect_part(error_of({"--data", "x", "--batch", "1", "--batch", "2"}), "--batch");
  expect_part(error_of({"--data", "x", "--batch"}), "--batch");
  expect_part(error_of({"--data", "x", "--verbose=perhaps"}), "verbose");
}

TEST(Settings, RefusesMissingAndUnknownOptions) {
  expect_part(error_of({}), "--data is required");
  expect_part(error_of({"--data", "x", "--bacth", "3"}), "unknown option, got '--bacth'");
  expect_part(error_of({"--data", "x", "--bacth", "3"}), "did you mean batch?");
  expect_part(error_of({"--data", "x", "stray"}), "unknown argument, got 'stray'");
  expect_part(error_of({"--data", "--verbose"}), "--data lacks its value");
  expect_part(error_of({"--data", ""}), "--data lacks its value");
}

TEST(Settings, FileGivesValuesAndCommandLineWins) {
  const test::TemporaryDirectory folder;
  const auto path = write_file(folder,
                               "data = \"folder:a#b\"  # with a comment\nbatch = 16\n"
                               "rate = 1\nverbose = true\nquiet = true\nspace = 'cifar'\n");
  Program program;
  ASSERT_TRUE(program.parse({"--config", path.string(), "--batch", "8"}));
  EXPECT_EQ(program.data, "folder:a#b");
  EXPECT_EQ(program.batch, 8);
  EXPECT_EQ(program.rate, 1.0);
  EXPECT_EQ(program.space, "cifar");
  EXPECT_TRUE(program.verbose);
  EXPECT_TRUE(program.quiet);
}

TEST(Settings, ARecipeGivesWayToTheFileAndTheCommandLine) {
  struct Values {
    std::string recipe = "plain", kind = "a";
    int before = 1, first = 1, second = 1, third = 1, fourth = 1;
  };
  const test::TemporaryDirectory folder;
  const auto parsed = [](const std::vector<std::string>& arguments) {
    Values v;
    Settings settings("train", "Trains.");
    settings.integer("before", v.before, "No part of a recipe", 0, 9);
    settings.recipe("recipe", v.recipe, "A recipe",
                    {{"plain", ""}, {"rich", "first = 2\nsecond = 2\nthird = 2\n"}});
    settings.integer("first", v.first, "A part", 0, 9);
    settings.integer("second", v.second, "A part", 0, 9);
    settings.integer("third", v.third, "A part", 0, 9);
    settings.integer("fourth", v.fourth, "A part", 0, 9);
    settings.choice("kind", v.kind, "A part", {"a", "b"});
    std::vector<const char*> argv = {"train"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    EXPECT_TRUE(settings.parse(static_cast<int>(argv.size()), argv.data()));
    return std::vector<int>{v.first, v.second, v.third, v.fourth, v.kind == "b" ? 1 : 0};
  };
  EXPECT_EQ(parsed({}), (std::vector<int>{1, 1, 1, 1, 0}));
  EXPECT_EQ(parsed({"--recipe", "rich"}), (std::vector<int>{2, 2, 2, 1, 0}));
  // Given as what the default is, it is given nonetheless.
  const std::string file = write_file(folder, "second = 3\nthird = 3\nrecipe = 'rich'\n").string();
  EXPECT_EQ(parsed({"--config", file, "--third", "1"}), (std::vector<int>{2, 3, 1, 1, 0}));
  const std::string own = write_file(folder, "kind = 'b'\nfourth = 4\n").string();
  EXPECT_EQ(parsed({"--recipe", own, "--fourth", "5"}), (std::vector<int>{1, 1, 1, 5, 1}));
  for (const std::string wrong : {"before = 2\n", "recipe = 'rich'\n", "none = 1\n", "first = 10\n"}) {
    EXPECT_THROW(parsed({"--recipe", write_file(folder, wrong).string()}), Error) << wrong;
  }
  EXPECT_THROW(parsed({"--recipe", "poor"}), Error);
}

TEST(Settings, RefusesWrongFiles) {
  const test::TemporaryDirectory folder;
  const auto error_in = [&](const std::string& contents) {
    return error_of({"--data", "x", "--config", write_file(folder, contents).string()});
  };
  expect_part(error_in("batch = 4\nbtach = 3\n"), ":2: unknown key, got 'btach'");
  expect_part(error_in("batch = \"4\"\n"), "batch has the wrong type, got \"4\", expected a whole");
  expect_part(error_in("batch = 4.0\n"), "wrong type, got the real number 4, expected a whole");
  expect_part(error_in("verbose = 1\n"), "expected true or false");
  expect_part(error_in("\nbatch = 0\n"), ":2: --batch is out of its range");
  expect_part(error_in("[training]\nbatch = 4\n"), "expected a number, string or boolean");
  expect_part(error_in("batch = 4\nbatch = 5\n"), "not valid TOML");
  expect_part(error_in("batch = \n"), "not valid TOML");
  expect_part(error_in(std::string("\0\xff", 2)), "not valid TOML");
  expect_part(error_in(std::string((1 << 20) + 1, '#')), "too large");
  expect_part(error_of({"--data", "x", "--config", (folder.path() / "none").string()}),
              "no such settings file");
  expect_part(error_of({"--data", "x", "--config", folder.path().string()}), "it is a folder");
}

TEST(Settings, WhatIsWrittenReadsBackTheSame) {
  const test::TemporaryDirectory folder;
  Program first;
  ASSERT_TRUE(first.parse({"--data", "a \"quoted\"\\path\x7f\tü", "--rate", "0.1", "--seed", "7", "--verbose",
                           "--resume", "--quiet"}));
  const auto path = write_file(folder, first.settings.toml());
  Program second;
  ASSERT_TRUE(second.parse({"--config", path.string()}));
  EXPECT_EQ(second.settings.toml(), first.settings.toml());
  EXPECT_EQ(second.data, first.data);
  EXPECT_EQ(second.rate, 0.1);
  EXPECT_FALSE(second.resume);  // of the process, not of the run
  EXPECT_FALSE(second.quiet);
  expect_part(first.settings.toml(), "\nversion = \"");
}

TEST(Settings, ResumingDemandsTheSameSettings) {
  const test::TemporaryDirectory folder;
  Program first;
  ASSERT_TRUE(first.parse({"--data", "x", "--batch", "8", "--out", "here"}));
  const auto path = write_file(folder, first.settings.toml());

  Program same;
  ASSERT_TRUE(same.parse({"--data", "x", "--batch", "8", "--out", "./here", "--resume"}));
  EXPECT_NO_THROW(same.settings.require_same(path, {"out"}));
  EXPECT_THROW(same.settings.require_same(path, {}), Error);

  Program other;
  ASSERT_TRUE(other.parse({"--data", "x", "--batch", "16", "--out", "here", "--resume"}));
  try {
    other.settings.require_same(path, {"out"});
    FAIL() << "differing settings were accepted";
  } catch (const Error& error) {
    expect_part(error.what(), "--batch differs from the run to resume, got 16, expected 8");
    EXPECT_EQ(error.fault(), Fault::usage);
  }
}

TEST(Settings, ResumingDemandsTheSameFindingsAndVersion) {
  const test::TemporaryDirectory folder;
  Program first;
  ASSERT_TRUE(first.parse({"--data", "x"}));
  first.settings.found("device", "cpu (two threads)");
  const auto path = write_file(folder, first.settings.toml());
  expect_part(first.settings.toml(), "\nfound-device = \"cpu (two threads)\"\n");

  const auto refusal = [](const Program& program, const std::filesystem::path& config) -> std::string {
    try {
      program.settings.require_same(config, {});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  Program second;
  ASSERT_TRUE(second.parse({"--config", path.string()}));  // which reads settings alone
  EXPECT_EQ(refusal(second, path), "") << "nothing was found yet";
  second.settings.found("device", "cpu (one thread)");
  expect_part(refusal(second, path), "the device differs from the run to resume, got \"cpu (one thread)\"");

  std::string old = first.settings.toml();
  const std::size_t at = old.find("version = \"");
  old.insert(at + std::string("version = \"").size(), "9");
  expect_part(refusal(first, write_file(folder, old)), "the version differs from the run to resume");
}

TEST(Settings, HelpListsGroupsAndDefaults) {
  Program program;
  testing::internal::CaptureStdout();
  EXPECT_FALSE(program.parse({"--help"}));
  const std::string help = testing::internal::GetCapturedStdout();
  expect_part(help, "Training:");
  expect_part(help, "--batch N [32]");
  expect_part(help, "--space tiny|cifar [tiny]");
  expect_part(help, "--data SPEC");
  expect_part(help, "--config FILE");

  testing::internal::CaptureStdout();
  EXPECT_FALSE(Program().parse({"--version"}));
  expect_part(testing::internal::GetCapturedStdout(), "search (adwpnas) ");
}

TEST(Settings, ArgumentsWithoutAName) {
  std::string network;
  std::vector<std::string> images;
  bool json = false;
  const auto parse = [&](std::vector<const char*> argv) {
    network.clear();
    images.clear();
    Settings settings("classify", "Classifies.");
    settings.argument(network, "NETWORK", "The network", Settings::Presence::required);
    settings.arguments(images, "IMAGE", "Images");
    settings.flag("json", json, "As JSON");
    argv.insert(argv.begin(), "classify");
    settings.parse(static_cast<int>(argv.size()), argv.data());
  };
  parse({"net", "--json", "a.png", "b.png"});
  EXPECT_EQ(network, "net");
  EXPECT_EQ(images, (std::vector<std::string>{"a.png", "b.png"}));
  EXPECT_TRUE(json);
  for (const auto& [argv, says] : std::vector<std::pair<std::vector<const char*>, std::string>>{
           {{}, "NETWORK is required"},
           {{"net"}, "IMAGE is required"},
           {{"net", "a.png", "--jsn"}, "did you mean json?"}}) {
    try {
      parse(argv);
      ADD_FAILURE() << says;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::usage);
      expect_part(error.what(), says);
    }
  }
}

TEST(Settings, AnEndlessKeyIsNotComparedWithEveryOption) {
  const test::TemporaryDirectory folder;
  const auto path = write_file(folder, std::string(500'000, 'k') + " = 1\n");
  const std::string error = error_of({"--config", path.string()});
  EXPECT_LT(error.size(), 10'000u);
  const auto near = write_file(folder, "batchs = 1\n");
  expect_part(error_of({"--config", near.string()}), "did you mean batch?");
}

}  // namespace
}  // namespace adwp::apps
