// What every rank but rank 0 does in a search.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/search/search_jobs.h"

namespace adwp::apps {

class SearchHelper {
 public:
  SearchHelper(Backend& backend, const SearchOptions& options);
  std::vector<std::pair<std::string, std::string>> found() const { return setup_.found(); }
  void run(parallel::Group& group);

 private:
  std::string work(const std::string& message);
  std::string predict(const nas::NetworkPlan& plan);
  std::string train(const Training& training, const std::filesystem::path& checkpoint);
  std::string train_weights(int member, std::int64_t epochs, const std::filesystem::path& checkpoint);
  // In a folder of this process, as if it were alone: `bytes` are the checkpoint to go on from, if there is
  // one, and `known_as` is where rank 0 keeps it.
  std::string in_folder(const std::string& bytes, const std::filesystem::path& known_as,
                        const std::function<std::string(const std::filesystem::path&)>& trains);

  SearchOptions options_;
  Progress silence_;
  SearchSetup setup_;
  std::unique_ptr<parallel::Worker> worker_;
};

}  // namespace adwp::apps
